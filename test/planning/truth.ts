/**
 * The oracle of the simulation: what is owed at each moment of an occasion's life, found by looking
 * at every day and following events as they happen. It shares no code with the rule: days, names and
 * instants are worked out anew, slowly.
 */
import type { InputsVersion } from '../../src/planning/fell-due.ts';
import { createOracle } from '../time/intl-oracle.ts';
import { bundledTz } from '../support/tz-databases.ts';

const DAY_MS = 86_400_000;

export interface Owed {
  readonly key: string;
  readonly nominalDate: string;
  readonly keptDate: string;
  readonly dueAt: number;
}

export interface Truth {
  /** The inputs change at `at`; what is due before that fell due under those before. */
  change(version: InputsVersion, at: number): void;
  /** Time passes, up to and including `to`. */
  advance(to: number): void;
  /** A first attempt was made of what is owed: it is no longer too late. */
  attempted(key: string): void;
  /** A plan without an instant has forgotten the attempts of the one before. */
  forgetAttempts(): void;
  /** A key is settled for good, and with it the day on which it was kept. */
  settle(key: string, nominalDate: string, keptDate: string): void;
  end(at: number, reason: string): void;
  owed(): Owed | null;
  /**
   * Why a key that fell due ended without being settled for good: a reason for each time that it
   * did. The ledger has the first that it came to know.
   */
  reasonsOf(key: string): readonly string[];
  /** Keys that fell due, each with the instants at which it did. */
  fallen(): ReadonlyMap<string, readonly number[]>;
  /** What comes first after an instant, strictly, and can still be planned. */
  firstToCome(after: number, beyond?: Owed): Owed | null;
}

export function createTruth(
  occasion: { readonly type: string; readonly id: string },
  createdAt: number,
  lateLimitMs: number,
): Truth {
  /** The last version that could be resolved, and until when it was in force. */
  let known: { version: InputsVersion; until: number } | null = null;
  let current: InputsVersion | null = null;
  let pending: { version: InputsVersion; at: number } | null = null;
  let time = createdAt;
  let owed: (Owed & { attempted: boolean }) | null = null;
  let lastSettled = '';
  const final = new Set<string>();
  const finalDays = new Set<string>();
  const isFinal = (one: Owed) => final.has(one.key) || finalDays.has(one.keptDate);
  const ended = new Map<string, string[]>();
  const fallen = new Map<string, number[]>();

  const keyOf = (nominalDate: string, { recurrence }: InputsVersion): string => {
    const isYear = recurrence === 'birthday' || recurrence === 'yearly';
    return `${occasion.type}:${occasion.id}:${isYear ? nominalDate.slice(0, 4) : nominalDate}`;
  };

  function found({ text }: Day, version: InputsVersion): Owed {
    return {
      key: keyOf(text, version),
      nominalDate: text,
      keptDate: keptOn(text, version),
      dueAt: dueOf(text, version),
    };
  }

  function end({ key }: Owed, reason: string): void {
    ended.set(key, [...(ended.get(key) ?? []), reason]);
  }

  function lateness(at: number): void {
    if (owed === null || owed.attempted || at <= owed.dueAt + lateLimitMs) return;
    end(owed, 'too_late');
    owed = null;
  }

  function fall(one: Owed, at: number): void {
    lateness(at);
    // On a day that was, or is, another's: it goes under that name.
    const isOthers = finalDays.has(one.keptDate) || owed?.keptDate === one.keptDate;
    if (isOthers && !final.has(one.key) && owed?.key !== one.key) return;
    fallen.set(one.key, [...(fallen.get(one.key) ?? []), at]);
    if (isFinal(one)) return;
    if (owed !== null) {
      if (owed.key === one.key) return;
      if (one.nominalDate < owed.nominalDate) {
        end(one, 'superseded');
        return;
      }
      end(owed, 'superseded');
      owed = null;
    }
    if (current?.suspended) {
      end(one, 'suspended');
    } else if (current?.recurrence !== 'once' && one.nominalDate < lastSettled) {
      end(one, 'superseded');
    } else if (at > one.dueAt + lateLimitMs) {
      end(one, 'too_late');
    } else {
      owed = { ...one, attempted: false };
    }
  }

  /** What falls due under the version in force, in (time, to] or, exclusive, in (time, to). */
  function pass(to: number, isExclusive: boolean): void {
    if (current !== null && isResolvable(current)) {
      for (const one of between(current, time, isExclusive ? to - 1 : to)) fall(one, one.dueAt);
    }
    time = Math.max(time, to);
    lateness(to);
  }

  /** All that a version names and that is due in (after, until], by instant and nominal date. */
  function* between(version: InputsVersion, after: number, until: number): Generator<Owed> {
    const offsetMs = version.offsetDays * DAY_MS;
    const last = Math.min(indexOf(until + offsetMs + 6 * DAY_MS), days.length - 1);
    let previousDueAt = -Infinity;
    for (let index = indexOf(after + offsetMs - 6 * DAY_MS); index <= last; index += 1) {
      const day = days[index] as Day;
      if (version.recurrence === 'once' && day.text > version.date) return;
      if (!isNamed(day, version)) continue;
      const one = found(day, version);
      // Where the calendar skips a day, two fall on the next one: the first is kept.
      const isTwin = one.dueAt === previousDueAt;
      previousDueAt = one.dueAt;
      if (!isTwin && one.dueAt > after && one.dueAt <= until) yield one;
    }
  }

  function applyPending(): void {
    if (pending === null) return;
    const { version, at } = pending;
    pending = null;
    pass(at, true);
    if (current !== null && isResolvable(current)) known = { version: current, until: at };
    current = version;
    if (owed !== null && isResolvable(version) && !isStillNamed(owed, version)) {
      end(owed, 'date_changed');
      owed = null;
    }
    if (owed !== null && version.suspended) {
      end(owed, 'suspended');
      owed = null;
    }
    if (known === null || !isResolvable(version)) return;
    const earlierDays = Math.max(0, version.offsetDays - known.version.offsetDays);
    for (const one of between(version, known.until - (7 + earlierDays) * DAY_MS, at)) {
      if (wasToCome(one, known.version, known.until)) fall(one, at);
    }
  }

  return {
    change(version, at) {
      // A version that is replaced at once was never in force.
      if (pending !== null && pending.at < at) applyPending();
      pending = { version, at };
      if (current === null) {
        current = version;
        pending = null;
      }
    },
    advance(to) {
      applyPending();
      pass(to, false);
    },
    attempted(key) {
      if (owed?.key === key) owed.attempted = true;
    },
    forgetAttempts() {
      if (owed !== null) owed.attempted = false;
    },
    settle(key, nominalDate, keptDate) {
      final.add(key);
      finalDays.add(keptDate);
      if (nominalDate > lastSettled) lastSettled = nominalDate;
      if (owed?.key === key) owed = null;
    },
    end(at, reason) {
      applyPending();
      pass(at, true);
      if (owed !== null) end(owed, reason);
      owed = null;
      current = null;
    },
    owed: () => owed,
    reasonsOf: (key) => ended.get(key) ?? [],
    fallen: () => fallen,
    firstToCome(after, beyond) {
      const version = current;
      if (version === null || !isResolvable(version)) return null;
      const first = Date.parse(version.date) - (7 + version.offsetDays) * DAY_MS;
      const from = Math.max(after, first);
      for (const one of between(version, from, from + 12 * 400 * DAY_MS)) {
        if (isFinal(one)) continue;
        if (version.recurrence !== 'once' && one.nominalDate <= lastSettled) continue;
        const isBeyond =
          beyond === undefined ||
          (one.nominalDate > beyond.nominalDate && one.keptDate !== beyond.keptDate);
        if (isBeyond) return one;
      }
      return null;
    },
  };
}

function isResolvable(version: InputsVersion): boolean {
  return version.timezone !== 'Mars/Olympus_Mons';
}

/** The same nominal date, or another that is kept on the same day. */
function isStillNamed(one: Owed, version: InputsVersion): boolean {
  return namesOf(one, version).length > 0;
}

function namesOf({ nominalDate, keptDate }: Owed, version: InputsVersion): string[] {
  const around = Date.parse(keptDate);
  const named = daysBetween(around - 4 * DAY_MS, around + 4 * DAY_MS)
    .filter((day) => isNamed(day, version))
    .map(({ text }) => text);
  if (named.includes(nominalDate)) return [nominalDate];
  return named.filter((text) => keptOn(text, version) === keptDate);
}

function wasToCome(one: Owed, before: InputsVersion, until: number): boolean {
  return namesOf(one, before).some((text) => dueOf(text, before) >= until);
}

/** A day as a recurrence can name it, from the 1st to the 31st of every month. */
interface Day {
  readonly text: string;
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly exists: boolean;
  /** Days since 1970, where it exists. */
  readonly number: number;
}

const FIRST_YEAR = 2008;
const days: readonly Day[] = Array.from({ length: 60 * 12 * 31 }, (_, index) => {
  const [year, month, day] = [
    FIRST_YEAR + Math.floor(index / 372),
    (Math.floor(index / 31) % 12) + 1,
    (index % 31) + 1,
  ];
  const text = `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
  const ms = Date.UTC(year, month - 1, day);
  const exists = new Date(ms).getUTCDate() === day;
  return { text, year, month, day, exists, number: ms / DAY_MS };
});

const indexes = new Map(days.map(({ text }, index) => [text, index]));

function daysBetween(from: number, until: number): readonly Day[] {
  return days.slice(indexOf(from), indexOf(until) + 1);
}

function indexOf(ms: number): number {
  const date = new Date(ms);
  const years = date.getUTCFullYear() - FIRST_YEAR;
  return Math.max(0, years * 372 + date.getUTCMonth() * 31 + date.getUTCDate() - 1);
}

function isNamed(day: Day, { date, recurrence, rrule }: InputsVersion): boolean {
  if (day.text < date) return false;
  switch (recurrence) {
    case 'once':
      return day.text === date;
    case 'daily':
      return day.exists;
    case 'weekly':
      return day.exists && (day.number - Date.parse(date) / DAY_MS) % 7 === 0;
    case 'monthly':
      return day.text.slice(8) === date.slice(8);
    case 'yearly':
      return day.text.slice(5) === date.slice(5);
    case 'birthday':
      return day.text.slice(5) === date.slice(5) && day.year > Number(date.slice(0, 4));
    case 'rrule':
      return RULES[rrule as Rule](day, Date.parse(date) / DAY_MS);
  }
}

const FRIDAY = 5;
const weekdayOf = (number: number): number => (number + 4) % 7;
/** Weeks begin on Mondays. */
const weekOf = (number: number): number => Math.floor((number + 3) / 7);

/** Rules of RFC 5545, and whether each names a day, on or after the first (days since 1970). */
export const RULES = {
  'FREQ=MONTHLY;BYDAY=-1FR': ({ exists, number, month }) =>
    exists &&
    weekdayOf(number) === FRIDAY &&
    new Date((number + 7) * DAY_MS).getUTCMonth() + 1 !== month,
  'FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH': ({ exists, number }, first) =>
    exists && (weekOf(number) - weekOf(first)) % 2 === 0 && [1, 4].includes(weekdayOf(number)),
  'FREQ=MONTHLY;BYMONTHDAY=31': ({ exists, day }) => exists && day === 31,
  'RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=31;SKIP=BACKWARD': ({ day }) => day === 31,
  'RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=30;SKIP=FORWARD': ({ day }) => day === 30,
  'FREQ=DAILY;INTERVAL=3;COUNT=10': ({ exists, number }, first) =>
    exists && (number - first) % 3 === 0 && (number - first) / 3 < 10,
  'FREQ=DAILY;UNTIL=20240301': ({ exists, text }) => exists && text <= '2024-03-01',
} satisfies Record<string, (day: Day, first: number) => boolean>;

export type Rule = keyof typeof RULES;

/** One day at a time towards a day that exists. */
function keptOn(text: string, { leapDayPolicy, rrule = null }: InputsVersion): string {
  let index = indexes.get(text) ?? NaN;
  const isForward = rrule === null ? leapDayPolicy === 'mar1' : rrule.endsWith('FORWARD');
  const step = isForward ? 1 : -1;
  while (days[index]?.exists === false) index += step;
  return days[index]?.text ?? text;
}

const oracle = createOracle((zone, at) => bundledTz.offsetAt(zone, at));
const instants = new Map<string, number>();

function dueOf(text: string, version: InputsVersion): number {
  const { timezone, localTime, leapDayPolicy } = version;
  const keptMs = Date.parse(keptOn(text, version));
  const day = new Date(keptMs - version.offsetDays * DAY_MS).toISOString().slice(0, 10);
  const name = `${day} ${localTime} ${timezone}`;
  let instant = instants.get(name);
  if (instant === undefined) {
    const rules = { leapDayPolicy, localTime };
    const year = Number(day.slice(0, 4));
    instant = oracle.occurrenceInYear({ dateOfBirth: day, timezone }, year, rules).dueAt;
    instants.set(name, instant);
  }
  return instant;
}
