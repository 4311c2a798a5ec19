import { z } from 'zod';

import { API_KEY_FORM } from './api-keys.ts';
import {
  apiKeys,
  duration,
  flag,
  origins,
  payloadKeys,
  port,
  share,
  url,
  webhookSecrets,
  wholeNumber,
} from './setting-values.ts';

/**
 * Every setting of Daybell, with its default. All faults are reported at once, and
 * no value of a secret is ever part of a message.
 */
export interface Settings extends z.output<typeof settingsSchema> {}

/** Thrown when settings are not usable; the message names every one, with its rule. */
export class InvalidSettingsError extends Error {
  override readonly name = 'InvalidSettingsError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`These settings are not usable:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

/** Reads the settings from an environment; an empty variable counts as unset. */
export function loadSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = settingsSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new InvalidSettingsError(
    parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
  );
}

/**
 * The settings with these of them given: for a process that cannot do without.
 *
 * @throws InvalidSettingsError when one is not set
 */
export function requireSettings<Name extends keyof Settings>(
  settings: Settings,
  ...names: readonly Name[]
): Settings & { readonly [Key in Name]-?: NonNullable<Settings[Key]> } {
  const missing = names.filter((name) => settings[name] === undefined);
  if (missing.length > 0) {
    throw new InvalidSettingsError(
      missing.map((name) => `${name}: must be set for this process${HINTS[name] ?? ''}`),
    );
  }
  return settings as Settings & { readonly [Key in Name]-?: NonNullable<Settings[Key]> };
}

/** How to come by a setting that has no obvious value. */
const HINTS: { readonly [Name in keyof Settings]?: string } = {
  WEBHOOK_SECRETS: '; npm run secret:new prints one',
};

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const settingsSchema = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: port(3000),
  /** `name:scopes:sha256`, comma-separated: who may use the API. Unset: whoever reaches it. */
  API_KEYS: apiKeys().optional(),
  /** Of each key, in each process of the API: what two cores serve is several times as much. */
  API_MAX_PER_SECOND: wholeNumber(1, 100_000).default(100),
  /** The key that Daybell's own commands send to an API with keys. */
  API_KEY: z.string().regex(API_KEY_FORM, 'must be a key that npm run key:new printed').optional(),
  /** Everything that the embedded default stores. */
  DATA_DIR: z.string().default('./data'),
  /** Unset: the embedded PostgreSQL. */
  DATABASE_URL: url(
    ['postgresql:', 'postgres:'],
    'postgresql://user:password@host:5432/database',
  ).optional(),
  DATABASE_POOL: wholeNumber(1, 200).default(10),
  /** Of the database's machine: what the alarm on its load is measured by. Unset: this machine's. */
  DATABASE_CORES: wholeNumber(1, 1024).optional(),
  POSTGRES_DEV_PORT: port(5433),
  /** Unset: the embedded dev server. The rest of Temporal's variables are read by its SDK. */
  TEMPORAL_ADDRESS: z
    .string()
    .regex(/^([^\s/:]+|\[[\da-f:.]+\]):\d{1,5}$/i, 'must be host:port, such as 127.0.0.1:7233')
    .optional(),
  TEMPORAL_DEV_PORT: port(7233),
  TEMPORAL_DEV_UI_PORT: port(8233),
  TEMPORAL_TASK_QUEUE: z.string().default('daybell'),
  /** `id:base64,…`, the newest first, which encrypts; all decrypt. Unset: nothing is encrypted. */
  TEMPORAL_PAYLOAD_KEYS: payloadKeys().optional(),
  /** Of the process `codec`. */
  CODEC_HOST: z.string().default('127.0.0.1'),
  CODEC_PORT: port(8081),
  /** 128 bits, however they are written. */
  CODEC_TOKEN: z.string().min(22, 'must have 22 characters or more').optional(),
  /** Those of the embedded Web UI. */
  CODEC_ORIGINS: origins().default(['http://127.0.0.1:8233', 'http://localhost:8233']),
  /** `workflows` and `activities` only where these have machines of their own: docs/scalability.md. */
  WORKER_ROLE: z
    .enum(['all', 'workflows', 'activities'], 'must be all, workflows or activities')
    .default('all'),
  /** A file that `npm run bundle` made. Unset: each worker bundles its workflows when it starts. */
  WORKFLOW_BUNDLE: z.string().optional(),
  /** Of the workers' version, one for each release. Unset: they take no part in versioning. */
  WORKER_BUILD_ID: z
    .string()
    .regex(/^[\w.+-]{1,128}$/, 'must be 1 to 128 of letters, digits, ".", "_", "+" and "-"')
    .optional(),
  /** Unset: the embedded receiver, which prints each greeting. */
  WEBHOOK_URL: url(['http:', 'https:'], 'https://example.com/birthdays').optional(),
  /** `whsec_…`, the newest first; all sign. Unset: the embedded receiver's own. */
  WEBHOOK_SECRETS: webhookSecrets().optional(),
  WEBHOOK_TIMEOUT_MS: wholeNumber(100, 120_000).default(15_000),
  /** Requests a second to the destination, all dispatchers together; unset: no limit. */
  WEBHOOK_MAX_PER_SECOND: wholeNumber(1, 1_000_000).optional(),
  /** Open requests of one dispatcher. */
  WEBHOOK_CONCURRENCY: wholeNumber(1, 4096).default(64),
  WEBHOOK_ALLOW_PRIVATE: flag(),
  RECEIVER_DEV_PORT: port(3001),
  /** Of the Prometheus that `npm run stack` starts. */
  PROMETHEUS_DEV_PORT: port(9090),
  GIVE_UP_AFTER: duration('72h', 60_000, 30 * 24 * HOUR_MS),
  LATE_LIMIT: duration('48h', 60_000, 30 * 24 * HOUR_MS),
  LATE_AFTER: duration('5m', 1_000, 24 * HOUR_MS),
  DELIVERY_LOCAL_TIME: z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a wall-clock time HH:MM, from 00:00 to 23:59')
    .default('09:00'),
  LEAP_DAY_POLICY: z
    .enum(
      ['feb28', 'mar1'],
      'must be feb28 or mar1: the day a 29 February birthday has in a common year',
    )
    .default('feb28'),
  /** `newest`, `node`, `bundled`, or a file of zone data: ADR 5. */
  ZONE_DATA: z.string().default('newest'),
  /** How long dispatchers have, from the due instant on, before a workflow looks whether all was sent. */
  WAKE_AFTER: duration('10s', 0, 600_000),
  /** Workflows of one due instant that wake in a second; 0: all at once. */
  WAKE_RATE: wholeNumber(0, 10_000).default(15),
  /** A year and a month: at a birthday, the attempts of the last one are there. */
  RETAIN_ATTEMPTS: duration('400d', DAY_MS, 3_650 * DAY_MS),
  /** Less: they may quote what was sent. */
  RETAIN_RESPONSE_EXCERPTS: duration('30d', HOUR_MS, 3_650 * DAY_MS),
  RETAIN_IDEMPOTENCY_KEYS: duration('24h', DAY_MS, 7 * DAY_MS),
  /** At once: whoever asks to be deleted means now. A month is what European law leaves at the most. */
  ERASE_AFTER: duration('0s', 0, 30 * DAY_MS),
  RETAIN_OUTBOX: duration('7d', HOUR_MS, 365 * DAY_MS),
  /** Half of LATE_AFTER would find most before they count as late; a look costs seconds a million users. */
  RECONCILE_EVERY: duration('10m', 60_000, HOUR_MS),
  /** Unset: the API serves /metrics on its own port. `npm start` takes this and the next three. */
  METRICS_PORT: wholeNumber(0, 65_532).optional(),
  /** `otlp` sends traces: docs/tracing.md. What else the exporter takes is read by itself, as by Temporal's SDK. */
  OTEL_TRACES_EXPORTER: z.enum(['none', 'otlp'], 'must be none or otlp').default('none'),
  /** Of a collector, without `/v1/traces`. */
  OTEL_EXPORTER_OTLP_ENDPOINT: url(['http:', 'https:'], 'http://collector:4318').default(
    'http://127.0.0.1:4318',
  ),
  /** The share of traces that are kept; whoever sends a traceparent has decided already. */
  OTEL_TRACES_SAMPLER_ARG: share().default(1),
  LOG_LEVEL: z
    .enum(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'must be a pino level, such as info or debug',
    )
    .default('info'),
});

/** All of them, for whoever has to know that none is forgotten. */
export const SETTING_NAMES: readonly string[] = Object.keys(settingsSchema.shape);
