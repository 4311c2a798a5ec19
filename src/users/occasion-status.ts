import { type DateSettings, dueDatesAfter, whyUnplannable } from '../time/occurrence.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import { type Occasion, recurrenceOf } from './occasion.ts';

export type OccasionStatus = (typeof OCCASION_STATUSES)[number];

export const OCCASION_STATUSES = ['active', 'suspended', 'ended'] as const;

/**
 * `ended` if no occurrence falls due after `now` (epoch ms), whether or not the ledger knows it
 * yet.
 *
 * @param settings apply if neither the occasion nor its user has a delivery time
 */
export function statusOf(
  occasion: Occasion,
  settings: DateSettings,
  now: number,
  tz: TzDatabase,
): OccasionStatus {
  const { user } = occasion;
  const inputs = {
    date: occasion.date ?? user.dateOfBirth,
    recurrence: recurrenceOf(occasion),
    rrule: occasion.rrule,
    offsetDays: occasion.offsetDays,
    timezone: occasion.timezone ?? user.timezone,
    localTime: occasion.deliveryTime ?? user.deliveryTime ?? settings.localTime,
    leapDayPolicy: settings.leapDayPolicy,
  };
  const isPlannable = whyUnplannable(inputs, tz) === null;
  if (isPlannable && dueDatesAfter(inputs, now, tz).next().done === true) return 'ended';
  return occasion.suspended || user.suspended ? 'suspended' : 'active';
}
