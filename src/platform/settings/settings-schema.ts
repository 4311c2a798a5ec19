import { z } from 'zod';

import { API_KEY_FORM, apiKeys } from './api-keys.ts';
import { payloadKeys } from './payload-keys.ts';
import { duration, flag, origins, port, share, url, wholeNumber } from './setting-values.ts';
import { webhookSecrets } from './webhook-secrets.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * Describes the settings: `npm run settings:write` makes docs/settings.md from it. `values` is set
 * if the rule of a setting does not say which values it allows.
 */
export const settingsSchema = z.object({
  HOST: z.string().default('127.0.0.1').meta({
    usedBy: 'all',
    values: 'host name or address',
    description: 'Address that the API, metrics and health checks listen on',
  }),
  PORT: port(3000).meta({ usedBy: 'api, commands', description: 'Port of the API' }),
  // Longer than the minute that nginx, HAProxy and cloud balancers keep a connection by default.
  HTTP_KEEP_ALIVE: duration('75s', 1_000, HOUR_MS).meta({
    usedBy: 'all',
    description:
      'How long an idle HTTP connection is kept. Must be [longer than the proxy keeps it](deployment.md#behind-a-proxy)',
  }),
  API_KEYS: apiKeys.optional().meta({
    usedBy: 'api',
    values: '`name:scopes:sha256`, comma-separated',
    description:
      'Keys of the API, from `npm run key:new`. Required unless `HOST` is a loopback address',
  }),
  // Two cores can serve several times as much.
  API_MAX_PER_SECOND: wholeNumber(1, 100_000).default(100).meta({
    usedBy: 'api',
    description: 'Requests per second for each key in each `api` process; bursts of twice as many',
  }),
  API_KEY: z
    .string()
    .regex(API_KEY_FORM, 'must be a key that npm run key:new printed')
    .optional()
    .meta({ usedBy: 'commands', description: 'Key that Daybell commands send to the API' }),
  DATA_DIR: z.string().default('./data').meta({
    usedBy: '`npm start`, commands',
    values: 'folder',
    description: 'Where the embedded servers keep their data',
  }),
  DATABASE_URL: url(['postgresql:', 'postgres:'], 'postgresql://user:password@host:5432/database')
    .optional()
    .meta({
      usedBy: 'all',
      description:
        'PostgreSQL, with [TLS](deployment.md#to-postgresql) in the URL. Unset: an embedded server',
    }),
  DATABASE_POOL: wholeNumber(1, 200).default(10).meta({
    usedBy: 'all',
    description:
      'Connections per process. The API keeps up to four of them for imports, exports, audits and forecasts, and opens at least two',
  }),
  DATABASE_CORES: wholeNumber(1, 1024).optional().meta({
    usedBy: 'api',
    description:
      'Cores of the database server, for the alarm on its load. Unset: those of this machine',
  }),
  POSTGRES_DEV_PORT: port(5433).meta({
    usedBy: '`npm start`',
    description: 'Port of the embedded PostgreSQL',
  }),
  TEMPORAL_ADDRESS: z
    .string()
    .regex(/^([^\s/:]+|\[[\da-f:.]+\]):\d{1,5}$/i, 'must be host:port, such as 127.0.0.1:7233')
    .optional()
    .meta({
      usedBy: 'all but dispatcher',
      description: 'Frontend of Temporal. Unset: an embedded dev server',
    }),
  TEMPORAL_DEV_PORT: port(7233).meta({
    usedBy: '`npm start`',
    description: 'Port of the embedded Temporal server',
  }),
  TEMPORAL_DEV_UI_PORT: port(8233).meta({
    usedBy: '`npm start`',
    description: 'Port of its Web UI',
  }),
  TEMPORAL_UI_URL: url(['http:', 'https:'], 'https://temporal.example.com').optional().meta({
    usedBy: 'api',
    description:
      "Temporal's Web UI as a browser reaches it, for links of the console. `npm start` and the stack set it to theirs. Unset: no links",
  }),
  TEMPORAL_TASK_QUEUE: z.string().default('daybell').meta({
    usedBy: 'all but dispatcher',
    values: 'text',
    description:
      'Task queue of the workers; [one per installation](adr/0009-installations.md) and namespace',
  }),
  TEMPORAL_PAYLOAD_KEYS: payloadKeys.optional().meta({
    usedBy: 'api, scheduler, worker, codec',
    values: '`id:base64`, comma-separated',
    description:
      '[Encrypts payloads](privacy.md#encrypting-what-temporal-holds); newest first. From `npm run payload-key:new`',
  }),
  CODEC_HOST: z.string().default('127.0.0.1').meta({
    usedBy: 'codec',
    values: 'host name or address',
    description: 'Address that the codec endpoint listens on',
  }),
  CODEC_PORT: port(8081).meta({ usedBy: 'codec', description: 'Port of the codec endpoint' }),
  // 128 bits, in any encoding.
  CODEC_TOKEN: z
    .string()
    .regex(/^\S{22,}$/, 'must have 22 characters or more, without spaces')
    .optional()
    .meta({
      usedBy: 'codec',
      values: '22 characters or more, without spaces',
      description: 'Bearer token that callers send. Required unless `CODEC_HOST` is loopback',
    }),
  CODEC_ORIGINS: origins().default(['http://127.0.0.1:8233', 'http://localhost:8233']).meta({
    usedBy: 'codec',
    description: 'Web UIs that may call it from a browser',
  }),
  WORKER_ROLE: z
    .enum(['all', 'workflows', 'activities'], 'must be all, workflows or activities')
    .default('all')
    .meta({
      usedBy: 'worker',
      description: 'Runs one kind of work only, where each has [its own machines](scalability.md)',
    }),
  WORKFLOW_BUNDLE: z.string().optional().meta({
    usedBy: 'worker',
    values: 'file',
    description: 'Made by `npm run bundle`. Unset: the worker bundles its workflows at start',
  }),
  WORKER_BUILD_ID: z
    .string()
    .regex(/^[\w.+-]{1,128}$/, 'must be 1 to 128 of letters, digits, ".", "_", "+" and "-"')
    .optional()
    .meta({
      usedBy: 'worker',
      description: '[Version of the workers](deploys.md#worker-versions). Unset: no versioning',
    }),
  WEBHOOK_URL: url(['http:', 'https:'], 'https://example.com/birthdays').optional().meta({
    usedBy: 'api, dispatcher, worker',
    description: 'Where webhooks are posted. Unset: an embedded receiver that prints them',
  }),
  WEBHOOK_SECRETS: webhookSecrets.optional().meta({
    usedBy: 'api, dispatcher, worker, scheduler',
    values: '`whsec_…`, comma-separated',
    description: 'All of them sign; newest first. From `npm run secret:new`',
  }),
  WEBHOOK_TIMEOUT_MS: wholeNumber(100, 120_000).default(15_000).meta({
    usedBy: 'api, dispatcher, worker, scheduler',
    description: 'Milliseconds for one attempt, from DNS lookup to the end of the answer',
  }),
  WEBHOOK_MAX_PER_SECOND: wholeNumber(1, 1_000_000).optional().meta({
    usedBy: 'dispatcher',
    description: 'Requests per second, all processes together. Unset: no limit',
  }),
  WEBHOOK_CONCURRENCY: wholeNumber(1, 4096)
    .default(64)
    .meta({ usedBy: 'dispatcher', description: 'Open requests per dispatcher' }),
  WEBHOOK_ALLOW_PRIVATE: flag().meta({
    usedBy: 'api, dispatcher, worker, scheduler',
    description:
      'Allows [private, loopback and link-local](adr/0006-outcomes.md) destination addresses',
  }),
  OPERATIONS_WEBHOOK_URL: url(['http:', 'https:'], 'https://example.com/operations')
    .optional()
    .meta({
      usedBy: 'scheduler',
      description:
        'Where [operational events](operations.md#operational-events) are posted. Unset: nowhere',
    }),
  OPERATIONS_WEBHOOK_SECRETS: webhookSecrets.optional().meta({
    usedBy: 'scheduler',
    values: '`whsec_…`, comma-separated',
    description: 'Secrets that sign them. Unset: `WEBHOOK_SECRETS`',
  }),
  RECEIVER_DEV_PORT: port(3001).meta({
    usedBy: '`npm start`',
    description: 'Port of the embedded receiver',
  }),
  PROMETHEUS_DEV_PORT: port(9090).meta({
    usedBy: '`npm run stack`',
    description: 'Port of its Prometheus',
  }),
  GIVE_UP_AFTER: duration('72h', 60_000, 30 * 24 * HOUR_MS).meta({
    usedBy: 'migrate',
    description: 'How long an occurrence is retried after its first attempt',
  }),
  LATE_LIMIT: duration('48h', 60_000, 30 * 24 * HOUR_MS).meta({
    usedBy: 'migrate',
    description: 'An occurrence not attempted this long after it fell due is skipped',
  }),
  LATE_AFTER: duration('5m', 1_000, 24 * HOUR_MS).meta({
    usedBy: 'migrate',
    description: 'A delivery counts as late this long after the due instant',
  }),
  DELIVERY_LOCAL_TIME: z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a wall-clock time HH:MM, from 00:00 to 23:59')
    .default('09:00')
    .meta({ usedBy: 'migrate', description: 'Local time of delivery, in every zone' }),
  LEAP_DAY_POLICY: z
    .enum(['feb28', 'mar1'], 'must be feb28 or mar1')
    .default('feb28')
    .meta({ usedBy: 'migrate', description: 'Day of a 29 February birthday in common years' }),
  ZONE_DATA: z.string().default('newest').meta({
    usedBy: 'all',
    values: 'newest, node, bundled or a file',
    description: 'Source of the [tz database](time.md#tz-database)',
  }),
  WAKE_AFTER: duration('10s', 0, 600_000).meta({
    usedBy: 'scheduler, worker',
    description: 'How long after the due instant workflows wake; `0s` without dispatchers',
  }),
  WAKE_RATE: wholeNumber(0, 10_000).default(15).meta({
    usedBy: 'scheduler, worker',
    description:
      'Workflows of one due instant that wake per second; after the first ten seconds of them, one pause of two minutes; `0`: all at once',
  }),
  // A year and a month: at a birthday, the attempts of the previous one are still there.
  RETAIN_ATTEMPTS: duration('400d', DAY_MS, 3_650 * DAY_MS).meta({
    usedBy: 'worker',
    description: 'How long attempts are kept; an occurrence and its outcome stay',
  }),
  RETAIN_RESPONSE_EXCERPTS: duration('30d', HOUR_MS, 3_650 * DAY_MS).meta({
    usedBy: 'worker',
    description: 'How long excerpts of responses are kept: they may quote what was sent',
  }),
  RETAIN_IDEMPOTENCY_KEYS: duration('24h', DAY_MS, 7 * DAY_MS).meta({
    usedBy: 'worker',
    description: 'How long an `Idempotency-Key` is remembered',
  }),
  // Immediately by default. European law allows a month at most.
  ERASE_AFTER: duration('0s', 0, 30 * DAY_MS).meta({
    usedBy: 'api, worker',
    description: 'How long after its deletion the rest of a user is [erased](privacy.md)',
  }),
  RETAIN_OUTBOX: duration('7d', HOUR_MS, 365 * DAY_MS).meta({
    usedBy: 'worker',
    description: 'How long processed outbox events are kept',
  }),
  // Two birthdays. The minimum: by then all are settled, whatever LATE_LIMIT and GIVE_UP_AFTER are.
  RETAIN_OCCURRENCES: duration('800d', 70 * DAY_MS, 36_500 * DAY_MS).meta({
    usedBy: 'worker',
    description:
      'How long settled occurrences, yearly ones until their year is over, and the [operator log](api.md#the-operator-log) are kept; the [audits](reliability.md#the-audit) of the days stay',
  }),
  RECONCILE_EVERY: duration('10m', 60_000, HOUR_MS).meta({
    usedBy: 'scheduler, worker',
    description: 'How often the [reconciler](reliability.md#the-reconciler) runs',
  }),
  METRICS_PORT: wholeNumber(0, 65_532).optional().meta({
    usedBy: 'all',
    description:
      'Port of the [metrics](metrics.md), `/healthz` and `/readyz`; `npm start` takes this and the next three. Unset: only the API serves metrics',
  }),
  OTEL_TRACES_EXPORTER: z
    .enum(['none', 'otlp'], 'must be none or otlp')
    .default('none')
    .meta({ usedBy: 'all', description: '`otlp` sends [traces](tracing.md)' }),
  OTEL_EXPORTER_OTLP_ENDPOINT: url(['http:', 'https:'], 'http://collector:4318')
    .default('http://127.0.0.1:4318')
    .meta({ usedBy: 'all', description: 'Collector that traces are sent to' }),
  OTEL_TRACES_SAMPLER_ARG: share()
    .default(1)
    .meta({ usedBy: 'all', description: 'Share of the traces started here that are kept' }),
  LOG_LEVEL: z
    .enum(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'must be a pino level, such as info or debug',
    )
    .default('info')
    .meta({ usedBy: 'all', description: 'Least severe log lines that are written' }),
});

const webhookUrl = url(['http:', 'https:'], 'https://example.com/renewals');
const REQUIRED = 'must be set, since another setting of this destination is';

/** The settings of each named destination; all required ones must be set together. */
export const destinationSchema = z.object({
  'WEBHOOK_URL_<NAME>': z.string(REQUIRED).pipe(webhookUrl).meta({
    usedBy: 'api, dispatcher, worker',
    values: 'URL',
    description:
      'Another [destination](deployment.md#more-destinations), for the occasion types that name it. `WEBHOOK_URL_CRM_EU` sets `crm-eu`',
  }),
  'WEBHOOK_SECRETS_<NAME>': z.string(REQUIRED).pipe(webhookSecrets).meta({
    usedBy: 'api, dispatcher, worker',
    values: '`whsec_…`, comma-separated',
    description: 'Its secrets; required with its URL',
  }),
  'WEBHOOK_MAX_PER_SECOND_<NAME>': wholeNumber(1, 1_000_000).optional().meta({
    usedBy: 'dispatcher',
    description: 'Its requests per second, all processes together. Unset: no limit',
  }),
});
