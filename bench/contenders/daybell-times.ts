/** When Daybell's herd is due: as soon as it can be planned, with its workflows asleep. */
import { dueMinute, minuteAfter, type DueMinute } from '../support/instants.ts';
import type { HerdOptions } from './contender.ts';

export interface TimingOptions extends HerdOptions {
  /** Time for other steps between planning and the instant. */
  readonly extraSeconds?: number;
}

/** The minimum rate of either way of loading, in users a second. */
const LOADS_PER_SECOND = { api: 100, store: 250 } as const;
const DAY_MS = 86_400_000;

/** The birthday of all users: the day on which they will be loaded and planned. */
export function birthdayOf(users: number, options: TimingOptions): DueMinute {
  const loadSeconds = users / LOADS_PER_SECOND[options.load];
  return minuteAfter((loadSeconds + secondsAfterLoading(users, options)) * 1000);
}

/**
 * The instant, chosen when all users are loaded.
 *
 * @throws Error if the birthday is over by then
 */
export function dueAfterLoading(
  users: number,
  options: TimingOptions,
  { dateOfBirth, at }: DueMinute,
): DueMinute {
  const birthdayBegins = at - (at % DAY_MS);
  const soonest = minuteAfter(secondsAfterLoading(users, options) * 1000).at;
  // If they were loaded sooner than expected, it may still be the day before.
  const due = dueMinute(Math.max(soonest, birthdayBegins));
  if (due.dateOfBirth !== dateOfBirth) {
    throw new Error('Loading ran past midnight UTC: the birthday is over. Start again.');
  }
  return due;
}

function secondsAfterLoading(users: number, options: TimingOptions): number {
  const { headStart, planRate, extraSeconds = 0 } = options;
  return headStart + users / planRate + extraSeconds;
}
