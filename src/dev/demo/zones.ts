import { DateTime } from 'luxon';

/** A minute at which people in these zones are due, since their clocks read the delivery time then. */
export interface DueMinute {
  /** Epoch ms, a full minute. */
  readonly at: number;
  readonly zones: readonly string[];
}

const MINUTE_MS = 60_000;

/** Places that many people know, in every offset that is in use. */
const ZONES = [
  'Pacific/Pago_Pago',
  'Pacific/Honolulu',
  'Pacific/Tahiti',
  'Pacific/Marquesas',
  'America/Anchorage',
  'Pacific/Gambier',
  'America/Los_Angeles',
  'America/Tijuana',
  'America/Phoenix',
  'America/Denver',
  'America/Chicago',
  'America/Mexico_City',
  'America/Guatemala',
  'America/New_York',
  'America/Bogota',
  'America/Lima',
  'America/Jamaica',
  'America/Halifax',
  'America/Caracas',
  'America/La_Paz',
  'America/Santiago',
  'America/St_Johns',
  'America/Sao_Paulo',
  'America/Argentina/Buenos_Aires',
  'America/Montevideo',
  'America/Noronha',
  'Atlantic/South_Georgia',
  'Atlantic/Azores',
  'Atlantic/Cape_Verde',
  'Europe/London',
  'Europe/Lisbon',
  'Africa/Accra',
  'Atlantic/Reykjavik',
  'Africa/Abidjan',
  'Europe/Paris',
  'Europe/Berlin',
  'Europe/Rome',
  'Africa/Lagos',
  'Africa/Tunis',
  'Europe/Athens',
  'Europe/Helsinki',
  'Africa/Cairo',
  'Africa/Johannesburg',
  'Africa/Maputo',
  'Europe/Istanbul',
  'Africa/Nairobi',
  'Asia/Riyadh',
  'Asia/Baghdad',
  'Asia/Tehran',
  'Asia/Dubai',
  'Asia/Tbilisi',
  'Indian/Mauritius',
  'Asia/Kabul',
  'Asia/Karachi',
  'Asia/Tashkent',
  'Indian/Maldives',
  'Asia/Kolkata',
  'Asia/Colombo',
  'Asia/Kathmandu',
  'Asia/Dhaka',
  'Asia/Thimphu',
  'Asia/Yangon',
  'Indian/Cocos',
  'Asia/Bangkok',
  'Asia/Jakarta',
  'Asia/Ho_Chi_Minh',
  'Asia/Singapore',
  'Asia/Shanghai',
  'Asia/Manila',
  'Australia/Perth',
  'Australia/Eucla',
  'Asia/Tokyo',
  'Asia/Seoul',
  'Asia/Dili',
  'Australia/Darwin',
  'Australia/Adelaide',
  'Australia/Brisbane',
  'Australia/Sydney',
  'Pacific/Port_Moresby',
  'Australia/Lord_Howe',
  'Pacific/Noumea',
  'Pacific/Guadalcanal',
  'Pacific/Auckland',
  'Pacific/Fiji',
  'Pacific/Tarawa',
  'Pacific/Chatham',
  'Pacific/Apia',
  'Pacific/Tongatapu',
  'Pacific/Kiritimati',
];

/**
 * The first full minute from `fromMs` to `untilMs` (epoch ms) at which some zone's clock
 * reads `localTime` (HH:MM); null when there is none.
 */
export function findDueMinute(
  localTime: string,
  fromMs: number,
  untilMs: number,
): DueMinute | null {
  for (let at = nextFullMinute(fromMs); at <= untilMs; at += MINUTE_MS) {
    const zones = ZONES.filter((zone) => clockIn(zone, at) === localTime);
    if (zones.length > 0) return { at, zones };
  }
  return null;
}

/** The clock reading, HH:MM, that most zones have at an instant. */
export function commonestLocalTime(atMs: number): string {
  const readings = Map.groupBy(ZONES, (zone) => clockIn(zone, atMs));
  const [commonest] = [...readings].sort(([, a], [, b]) => b.length - a.length);
  return commonest?.[0] ?? '09:00';
}

/** Epoch ms of the full minute at or after an instant. */
export function nextFullMinute(ms: number): number {
  return Math.ceil(ms / MINUTE_MS) * MINUTE_MS;
}

function clockIn(zone: string, atMs: number): string {
  return DateTime.fromMillis(atMs, { zone }).toFormat('HH:mm');
}
