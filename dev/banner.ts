import { runningApi } from '../src/cli/command.ts';
import type { Settings } from '../src/platform/settings/settings.ts';
import { MEASURED, type Ports } from './ports.ts';
import type { TemporalNode } from './temporal/production.ts';

export interface BannerOptions {
  readonly settings: Settings;
  readonly ports: Ports;
  readonly dataDir: string;
  /** The processes of the production Temporal server. */
  readonly temporalNodes?: readonly TemporalNode[];
}

/** Where everything is, and the first thing to try. */
export function banner(options: BannerOptions): string {
  const { settings, ports, dataDir, temporalNodes = [] } = options;
  const api = runningApi({ ...settings, PORT: ports.api }).url;
  const rows = {
    Console: `${api}/console`,
    API: api,
    Reference: `${api}/docs`,
    'Web UI': webUi(options),
    Metrics: metrics(api, ports),
    Greetings: greetings(options),
    'Sent at': `${settings.DELIVERY_LOCAL_TIME} in each user's own time zone (DELIVERY_LOCAL_TIME)`,
    ...(ports.postgres !== null && {
      PostgreSQL: `127.0.0.1:${ports.postgres} (user and database daybell; its password is in postgres.password)`,
    }),
    ...(ports.temporal !== null && { Temporal: temporal(ports.temporal, temporalNodes) }),
    ...(ports.prometheus !== null && { Prometheus: `http://127.0.0.1:${ports.prometheus}` }),
    Data: dataDir,
  };
  return [
    '',
    'Daybell is ready.',
    '',
    ...Object.entries(rows).map(([name, value]) => `  ${name.padEnd(11)}${value}`),
    '',
    'Create a user:',
    '',
    `  curl -sS ${api}/v1/users -H 'content-type: application/json' \\`,
    ...(settings.API_KEYS === undefined ? [] : ['    -H "authorization: Bearer $API_KEY" \\']),
    `    -d '{"firstName":"Ada","lastName":"Lovelace","dateOfBirth":"1990-12-10","timezone":"Europe/London"}'`,
    '',
    'See greetings arrive within minutes: npm run demo (in another terminal). Ctrl-C stops everything.',
    '',
  ].join('\n');
}

function temporal(port: number, nodes: readonly TemporalNode[]): string {
  const address = `127.0.0.1:${port}`;
  if (nodes.length <= 1) return address;
  const places = nodes.map((node) => `127.0.0.1:${node.port} ${node.name}`);
  return [`${address} temporal-balancer`, ...places].join(' · ');
}

function webUi({ ports, settings }: BannerOptions): string {
  return ports.temporalUi === null
    ? `of the Temporal server at ${settings.TEMPORAL_ADDRESS}`
    : `http://127.0.0.1:${ports.temporalUi}/namespaces/default/workflows (every user's workflow)`;
}

function metrics(api: string, { metrics: ports }: Ports): string {
  if (ports === null) return `${api}/metrics (set METRICS_PORT for those of all processes)`;
  const { protocol, hostname } = new URL(api);
  return MEASURED.map((name) => `${protocol}//${hostname}:${ports[name]}/metrics ${name}`).join(
    ' · ',
  );
}

/** The address may contain a token in its query, or a password: neither is shown. */
function greetings({ ports, settings }: BannerOptions): string {
  if (ports.receiver !== null) {
    return `printed here, by a receiver on http://127.0.0.1:${ports.receiver} (set WEBHOOK_URL for your own)`;
  }
  const { origin, pathname } = new URL(settings.WEBHOOK_URL ?? '');
  return `posted to ${origin}${pathname}`;
}
