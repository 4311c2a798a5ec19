import { runningApi } from '../src/cli/command.ts';
import type { Settings } from '../src/platform/settings/settings.ts';
import { MEASURED, type Ports } from './ports.ts';

export interface BannerOptions {
  readonly settings: Settings;
  readonly ports: Ports;
  readonly dataDir: string;
}

type Row = readonly [name: string, value: string];

const NO_PROMETHEUS =
  'left out: there is no `prometheus` on the PATH (Debian: apt-get install prometheus)';

/** Where everything of `npm start` is, and the first thing to try. */
export function banner(options: BannerOptions): string {
  return render('Daybell is ready.', options, []);
}

/** The same for `npm run stack`. */
export function stackBanner(options: BannerOptions): string {
  const { postgres, temporal, prometheus } = options.ports;
  return render('Daybell is ready, in its production shape.', options, [
    [
      'PostgreSQL',
      `127.0.0.1:${postgres} (user and database daybell; its password is in postgres.password)`,
    ],
    ['Temporal', `127.0.0.1:${temporal} (production server, on PostgreSQL)`],
    ['Prometheus', prometheus === null ? NO_PROMETHEUS : `http://127.0.0.1:${prometheus}`],
  ]);
}

function render(title: string, options: BannerOptions, more: readonly Row[]): string {
  const { settings, ports, dataDir } = options;
  const api = runningApi({ ...settings, PORT: ports.api }).url;
  const rows: readonly Row[] = [
    ['API', api],
    ['Reference', `${api}/docs`],
    ['Web UI', webUi(options)],
    ['Metrics', metrics(api, ports)],
    ['Greetings', greetings(options)],
    [
      'Sent at',
      `${settings.DELIVERY_LOCAL_TIME} in each user's own time zone (DELIVERY_LOCAL_TIME)`,
    ],
    ...more,
    ['Data', dataDir],
  ];
  return [
    '',
    title,
    '',
    ...rows.map(([name, value]) => `  ${name.padEnd(11)}${value}`),
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

/** The address may hold a token in its query or a password: neither is shown. */
function greetings({ ports, settings }: BannerOptions): string {
  if (ports.receiver !== null) {
    return `printed here, by a receiver on http://127.0.0.1:${ports.receiver} (set WEBHOOK_URL for your own)`;
  }
  const { origin, pathname } = new URL(settings.WEBHOOK_URL ?? '');
  return `posted to ${origin}${pathname}`;
}
