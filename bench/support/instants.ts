/** Instants at which a herd can be due: full minutes, the precision of DELIVERY_LOCAL_TIME. */

export interface DueMinute {
  /** Epoch ms. */
  readonly at: number;
  /** The DELIVERY_LOCAL_TIME at which users in UTC are due then. */
  readonly localTime: string;
  /** The date of birth of users who have their birthday on that day. */
  readonly dateOfBirth: string;
}

const MINUTE_MS = 60_000;

/** The first full second at least this far away, for contenders not bound to minutes. Epoch ms. */
export function secondAfter(leadMs: number, now = Date.now()): number {
  return Math.ceil((now + leadMs) / 1_000) * 1_000;
}

/** The first full minute at least this far away. */
export function minuteAfter(leadMs: number, now = Date.now()): DueMinute {
  return dueMinute(Math.ceil((now + leadMs) / MINUTE_MS) * MINUTE_MS);
}

export function dueMinute(at: number): DueMinute {
  const [date = '', time = ''] = new Date(at).toISOString().split('T');
  // 1992: a leap year, so that every day of the year exists.
  return { at, localTime: time.slice(0, 5), dateOfBirth: `1992${date.slice(4)}` };
}
