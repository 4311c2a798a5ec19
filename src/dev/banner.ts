import { describeMetrics } from './metrics-ports.ts';
import type { Ports } from './ports.ts';

export interface BannerOptions {
  /** What the API listens on. */
  readonly host: string;
  readonly ports: Ports;
  readonly dataDir: string;
  readonly temporalAddress: string | undefined;
  readonly webhookUrl: string | undefined;
  readonly deliveryLocalTime: string;
  /** Whether the API takes keys. */
  readonly withKeys: boolean;
}

export type BannerRow = readonly [name: string, value: string];

/** Where everything is, and the first thing to try. */
export function banner(options: BannerOptions): string {
  return bannerOf(options, { title: 'Daybell is ready.', more: [] });
}

/** The same with a title and rows of its own. */
export function bannerOf(
  options: BannerOptions,
  { title, more }: { readonly title: string; readonly more: readonly BannerRow[] },
): string {
  const { ports, deliveryLocalTime, withKeys } = options;
  const host = reachable(options.host);
  const api = `http://${host}:${ports.api}`;
  const rows = [
    ['API', api],
    ['Reference', `${api}/docs`],
    ['Web UI', webUi(options)],
    ['Metrics', describeMetrics(api, host, ports.metrics)],
    ['Greetings', greetings(options)],
    ['Sent at', `${deliveryLocalTime} in each user's own time zone (DELIVERY_LOCAL_TIME)`],
    ...more,
    ['Data', options.dataDir],
  ] satisfies BannerRow[];
  return [
    '',
    title,
    '',
    ...rows.map(([name, value]) => `  ${name.padEnd(11)}${value}`),
    '',
    'Create a user:',
    '',
    `  curl -sS ${api}/v1/users -H 'content-type: application/json' \\`,
    ...(withKeys ? ['    -H "authorization: Bearer $API_KEY" \\'] : []),
    `    -d '{"firstName":"Ada","lastName":"Lovelace","dateOfBirth":"1990-12-10","timezone":"Europe/London"}'`,
    '',
    'See greetings arrive within minutes: npm run demo (in another terminal). Ctrl-C stops everything.',
    '',
  ].join('\n');
}

function webUi({ ports, temporalAddress }: BannerOptions): string {
  return ports.temporalUi === null
    ? `of the Temporal server at ${temporalAddress}`
    : `http://127.0.0.1:${ports.temporalUi}/namespaces/default/workflows (every user's workflow)`;
}

/** The address may hold a token in its query or a password: neither is shown. */
function greetings({ ports, webhookUrl }: BannerOptions): string {
  if (ports.receiver !== null) {
    return `printed here, by a receiver on http://127.0.0.1:${ports.receiver} (set WEBHOOK_URL for your own)`;
  }
  const url = new URL(webhookUrl ?? '');
  return `posted to ${url.origin}${url.pathname}`;
}

/** An address to connect to for one to listen on. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
