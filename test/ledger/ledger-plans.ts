/** What a planner writes into the ledger, for tests of the ledger alone. */
import { randomUUID } from 'node:crypto';

import { BIRTHDAY, occurrenceKey } from '../../src/ledger/occurrence-key.ts';
import type { PlannedRow } from '../../src/ledger/types.ts';

export type Born = PlannedRow & { readonly dueAt: number };

/** The plan of a birthday in 2026, due then; blocked if it has no instant. */
export function born(dueAt: number, userId?: string): Born;
export function born(dueAt: null, userId?: string): PlannedRow;
export function born(dueAt: number | null, userId: string = randomUUID()): PlannedRow {
  const nominalDate = '2026-05-20';
  return {
    key: occurrenceKey({ type: BIRTHDAY, id: userId }, nominalDate, BIRTHDAY),
    occasionType: BIRTHDAY,
    occasionId: userId,
    userId,
    nominalDate,
    recurrence: 'birthday',
    rrule: null,
    date: '1990-05-20',
    offsetDays: 0,
    timezone: 'Europe/Berlin',
    localTime: '09:00',
    leapDayPolicy: 'feb28',
    tzVersion: '2026c',
    rulesId: 1,
    inputsAt: Date.UTC(2026, 0, 1),
    localDate: dueAt === null ? null : nominalDate,
    dueAt,
    supersededAt: null,
    blockedReason: dueAt === null ? 'unknown zone Mars/Olympus' : null,
    destination: 'default',
  };
}
