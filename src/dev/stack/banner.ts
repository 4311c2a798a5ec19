import type { Settings } from '../../platform/settings/settings.ts';
import { bannerOf, type BannerRow } from '../banner.ts';
import type { Ports } from '../ports.ts';

export interface StackBannerOptions {
  readonly settings: Settings;
  readonly ports: Ports;
  readonly dataDir: string;
}

const NO_PROMETHEUS =
  'left out: there is no `prometheus` on the PATH (Debian: apt-get install prometheus)';

/** Where everything of the production shape is, and the first thing to try. */
export function stackBanner({ settings, ports, dataDir }: StackBannerOptions): string {
  const more: BannerRow[] = [
    [
      'PostgreSQL',
      `127.0.0.1:${ports.postgres} (user and database daybell; its password is in postgres.password)`,
    ],
    ['Temporal', `127.0.0.1:${ports.temporal} (production server, on PostgreSQL)`],
    [
      'Prometheus',
      ports.prometheus === null ? NO_PROMETHEUS : `http://127.0.0.1:${ports.prometheus}`,
    ],
  ];
  return bannerOf(
    {
      host: settings.HOST,
      ports,
      dataDir,
      temporalAddress: undefined,
      webhookUrl: settings.WEBHOOK_URL,
      deliveryLocalTime: settings.DELIVERY_LOCAL_TIME,
      withKeys: settings.API_KEYS !== undefined,
    },
    { title: 'Daybell is ready, in its production shape.', more },
  );
}
