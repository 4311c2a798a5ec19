/** When Daybell's herd is due: as soon as it can have been planned and armed. */
import { dueMinute, minuteAfter, type DueMinute } from '../support/instants.ts';
import type { HerdOptions } from './contender.ts';

export interface DaybellTimes {
  readonly due: DueMinute;
  /** ARM_LEAD and ARM_WINDOW in seconds. */
  readonly armLead: number;
  readonly armWindow: number;
}

export interface TimingOptions extends HerdOptions {
  /** How many of the users are due at the instant; all of them when not given. */
  readonly herd?: number;
  /** For something else between planning and arming. */
  readonly extraSeconds?: number;
}

/** Users a second that either way of loading brings in at least. */
const LOADS_PER_SECOND = { api: 100, store: 250 } as const;
/** So that a herd of ten does not arm in one instant. */
const LEAST_WINDOW_SECONDS = 5;

/** The birthday of all users: the day that it will be when they are loaded, planned and armed. */
export function birthdayOf(users: number, options: TimingOptions): DueMinute {
  const loadSeconds = users / LOADS_PER_SECOND[options.load];
  return minuteAfter((loadSeconds + secondsAfterLoading(users, options)) * 1000);
}

/**
 * The instant, chosen when all users are loaded.
 *
 * @throws Error when the birthday is over by then
 */
export function timesAfterLoading(
  users: number,
  options: TimingOptions,
  { dateOfBirth, at }: DueMinute,
): DaybellTimes {
  const birthdayBegins = at - (at % DAY_MS);
  const soonest = minuteAfter(secondsAfterLoading(users, options) * 1000).at;
  // Loaded sooner than expected, it may still be the day before.
  const due = dueMinute(Math.max(soonest, birthdayBegins));
  if (due.dateOfBirth !== dateOfBirth) {
    throw new Error('Loading went over midnight UTC: the birthday is over. Start again.');
  }
  return { due, armLead: options.armLead, armWindow: armWindow(users, options) };
}

const DAY_MS = 86_400_000;

function secondsAfterLoading(users: number, options: TimingOptions): number {
  const planning = users / options.planRate;
  const { headStart, extraSeconds = 0, armLead } = options;
  return headStart + planning + extraSeconds + armWindow(users, options) + armLead;
}

/** The herd by the rate at which it arms: what a large installation has to set. */
function armWindow(users: number, { armRate, herd = users }: TimingOptions): number {
  return Math.max(LEAST_WINDOW_SECONDS, Math.ceil(herd / armRate));
}
