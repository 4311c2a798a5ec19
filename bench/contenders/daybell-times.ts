/** When Daybell's herd is due: as soon as it can have been planned, and its workflows sleep. */
import { dueMinute, minuteAfter, type DueMinute } from '../support/instants.ts';
import type { HerdOptions } from './contender.ts';

export interface TimingOptions extends HerdOptions {
  /** For something else between planning and the instant. */
  readonly extraSeconds?: number;
}

/** Users a second that either way of loading brings in at least. */
const LOADS_PER_SECOND = { api: 100, store: 250 } as const;
const DAY_MS = 86_400_000;

/** The birthday of all users: the day that it will be when they are loaded and planned. */
export function birthdayOf(users: number, options: TimingOptions): DueMinute {
  const loadSeconds = users / LOADS_PER_SECOND[options.load];
  return minuteAfter((loadSeconds + secondsAfterLoading(users, options)) * 1000);
}

/**
 * The instant, chosen when all users are loaded.
 *
 * @throws Error when the birthday is over by then
 */
export function dueAfterLoading(
  users: number,
  options: TimingOptions,
  { dateOfBirth, at }: DueMinute,
): DueMinute {
  const birthdayBegins = at - (at % DAY_MS);
  const soonest = minuteAfter(secondsAfterLoading(users, options) * 1000).at;
  // Loaded sooner than expected, it may still be the day before.
  const due = dueMinute(Math.max(soonest, birthdayBegins));
  if (due.dateOfBirth !== dateOfBirth) {
    throw new Error('Loading went over midnight UTC: the birthday is over. Start again.');
  }
  return due;
}

function secondsAfterLoading(users: number, options: TimingOptions): number {
  const { headStart, planRate, extraSeconds = 0 } = options;
  return headStart + users / planRate + extraSeconds;
}
