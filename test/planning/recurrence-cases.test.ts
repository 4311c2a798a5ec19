import { describe, expect, it } from 'vitest';

import {
  type InputsVersion,
  occurrencesAfter,
  type ResolvedOccurrence,
} from '../../src/planning/fell-due.ts';
import type { Recurrence } from '../../src/time/recurrence.ts';
import { bundledTz } from '../support/tz-databases.ts';
import cases from './recurrence-cases.json' with { type: 'json' };

interface RecurrenceCase {
  readonly name: string;
  readonly recurrence: Recurrence;
  readonly date: string;
  /** From RFC 7529; null if every month has the day. */
  readonly skip: 'BACKWARD' | 'FORWARD' | null;
  readonly timezone: string;
  readonly deliveryTime: string;
  readonly after: string;
  /** `nominal` if it is not the day on which it is kept. */
  readonly expect: readonly {
    readonly date: string;
    readonly dueAt: string;
    readonly nominal?: string;
  }[];
}

/** Dates from an independent implementation of RFC 5545, instants from the tz database. */
describe('the agreed cases of recurrences that name a day', () => {
  it.each(cases as readonly RecurrenceCase[])('$name, after $after', (given) => {
    const version: InputsVersion = {
      from: 0,
      date: given.date,
      recurrence: given.recurrence,
      timezone: given.timezone,
      localTime: given.deliveryTime,
      leapDayPolicy: given.skip === 'FORWARD' ? 'mar1' : 'feb28',
      offsetDays: 0,
      suspended: false,
    };
    const occasion = { type: 'reminder', id: 'b4c1' };
    const found = occurrencesAfter({ occasion, tz: bundledTz }, version, Date.parse(given.after));
    const resolved = given.expect.map(() => {
      const { nominalDate, localDate, dueAt } = found.next().value as ResolvedOccurrence;
      const instant = new Date(dueAt).toISOString().replace('.000', '');
      return { date: localDate, dueAt: instant, nominal: nominalDate };
    });
    expect(resolved).toEqual(given.expect.map((one) => ({ nominal: one.date, ...one })));
  });
});
