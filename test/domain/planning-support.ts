/** A plan told in a line, for a user who is given in one. */
import { occurrenceInYear } from '../../src/domain/occurrence.ts';
import { decidePlanSince } from '../../src/domain/planning-history.ts';
import {
  decidePlan,
  type FinalRow,
  type OpenRow,
  type PlanDecision,
  type PlanInput,
} from '../../src/domain/planning.ts';
import type { DateRules } from '../../src/domain/rules.ts';
import { bundledLaw } from '../support/zone-laws.ts';

export const HOUR_MS = 3_600_000;
export const NEW_YORK = 'America/New_York';
export const TOKYO = 'Asia/Tokyo';
export const KIRITIMATI = 'Pacific/Kiritimati';
export const PAGO_PAGO = 'Pacific/Pago_Pago';
const NINE: DateRules = { leapDayPolicy: 'feb28', localTime: '09:00', law: bundledLaw };

interface Given {
  readonly born?: string;
  readonly zone?: string;
  readonly created?: string;
  readonly changed?: string;
  readonly open?: OpenRow | null;
  readonly final?: readonly FinalRow[];
  readonly now: string;
  readonly rules?: DateRules;
  readonly lateLimitMs?: number;
}

/** A user born on 05-20 and created in 2020, unless told otherwise. */
export function plan(given: Given): PlanDecision {
  return decidePlan(inputOf(given));
}

function inputOf(given: Given): PlanInput {
  const createdAt = at(given.created ?? '2020-01-01T00:00:00Z');
  return {
    facts: {
      dateOfBirth: given.born ?? '1990-05-20',
      timezone: given.zone ?? NEW_YORK,
      createdAt,
      changedAt: given.changed === undefined ? createdAt : at(given.changed),
    },
    open: given.open ?? null,
    final: given.final ?? [],
    now: at(given.now),
    rules: given.rules ?? NINE,
    lateLimitMs: given.lateLimitMs ?? 48 * HOUR_MS,
  };
}

/** A date of birth and a zone, from an instant on. */
export type Facts = readonly [born: string, zone: string, from: string];

/** The same user's plan after several changes, the last of which gives the facts of now. */
export function planSince(history: readonly Facts[], given: Omit<Given, 'changed'>): PlanDecision {
  const [born, zone, changed] = history.at(-1) as Facts;
  return decidePlanSince(
    inputOf({ ...given, born, zone, changed }),
    history.map(([dateOfBirth, timezone, from]) => ({ dateOfBirth, timezone, from: at(from) })),
  );
}

/** A row as it was planned in a zone, for a date of birth. */
export function row(
  year: number,
  zone: string,
  born = '1990-05-20',
  attempts = 0,
  rules = NINE,
): OpenRow {
  const { fireAt } = occurrenceInYear({ dateOfBirth: born, timezone: zone }, year, rules);
  return { year, anchorDate: born, timezone: zone, fireAt, attempts };
}

export function settled(year: number, zone: string, born = '1990-05-20'): FinalRow {
  return { year, fireAt: row(year, zone, born).fireAt };
}

export function at(iso: string): number {
  return Date.parse(iso);
}

/** A decision in one line: what becomes of the row, what was missed, what comes. */
export function told({ open, skipped, next }: PlanDecision): string {
  const row = open.action === 'skip' ? `skip ${open.reason}` : open.action;
  const missed = skipped.map(({ year }) => ` missed ${year}`).join('');
  const planned =
    next.kind === 'blocked'
      ? `blocked ${next.year}`
      : `${next.occurrence.year} at ${new Date(next.occurrence.fireAt).toISOString().slice(0, 16)}Z`;
  return `${row}${missed}, ${planned}`;
}
