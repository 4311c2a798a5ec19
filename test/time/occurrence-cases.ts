import type { LeapDayPolicy } from '../../src/time/recurrence.ts';
import nineOClock from './occurrence-cases.json' with { type: 'json' };
import otherTimes from './occurrence-cases-other-times.json' with { type: 'json' };

export interface OccurrenceCase {
  readonly dateOfBirth: string;
  readonly timezone: string;
  readonly now: string;
  readonly leapDayPolicy: LeapDayPolicy;
  readonly localTime: string;
  readonly expected: string;
  readonly note: string;
}

/** The agreed cases, as they were handed over. */
export const nineOClockCases = nineOClock as readonly OccurrenceCase[];
export const otherTimeCases = otherTimes as readonly OccurrenceCase[];
