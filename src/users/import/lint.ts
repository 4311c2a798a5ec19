/** Finds what looks wrong in a file although it breaks no rule: nothing is refused for it. */
import { PLACEHOLDER_YEARS } from '../../time/placeholder-years.ts';
import type { TzDatabase } from '../../time/tz-database.ts';
import type { AcceptedUser } from './store-batch.ts';
import type { SeenRows } from './seen-rows.ts';

export interface LintFinding {
  readonly code: LintCode;
  /** How many rows are affected. */
  readonly rows: number;
  /** What it means, and its consequence. */
  readonly message: string;
  /** The first few lines that are affected. */
  readonly lines: readonly number[];
}

export const LINT_CODES = [
  'first-of-january',
  'placeholder-year',
  'over-120',
  'day-and-month-swapped',
  'no-daylight-saving',
  'probable-duplicates',
] as const;
export type LintCode = (typeof LINT_CODES)[number];

interface LintDeps {
  readonly seen: SeenRows;
  readonly tz: TzDatabase;
  /** Epoch ms. */
  readonly now: number;
  /** When webhooks are sent, `HH:MM`. */
  readonly localTime: string;
}

const LINES_SHOWN = 5;
const YEAR_MS = 365.25 * 86_400_000;

export function createLint({ seen, tz, now, localTime }: LintDeps) {
  const found = new Map<string, { rows: number; lines: number[] }>();
  let users = 0;
  let daysAfterTwelfth = 0;
  const fixedZones = new Map<string, boolean>();
  const zonesFound = new Set<string>();

  const note = (what: string, line: number): void => {
    const finding = found.get(what) ?? { rows: 0, lines: [] };
    finding.rows += 1;
    if (finding.lines.length < LINES_SHOWN) finding.lines.push(line);
    found.set(what, finding);
  };
  const isFixed = (zone: string): boolean => {
    const known = fixedZones.get(zone);
    if (known !== undefined) return known;
    const isFixedZone = ignoresDaylightSaving(zone, now, tz);
    fixedZones.set(zone, isFixedZone);
    return isFixedZone;
  };

  return {
    /** Called for each user once. */
    accept({ user, line, isFirst }: Pick<AcceptedUser, 'user' | 'line' | 'isFirst'>): void {
      if (!isFirst) return;
      users += 1;
      const { dateOfBirth, timezone, firstName, lastName } = user;
      if (dateOfBirth.endsWith('-01-01')) note('first-of-january', line);
      if (dateOfBirth.slice(8) > '12') daysAfterTwelfth += 1;
      const year = dateOfBirth.slice(0, 4);
      if (PLACEHOLDER_YEARS.includes(year)) note(year, line);
      if (now - Date.parse(dateOfBirth) > 121 * YEAR_MS) note('over-120', line);
      if (isFixed(timezone)) {
        zonesFound.add(timezone);
        note('no-daylight-saving', line);
      }
      const name = plain(`${firstName} ${lastName}`);
      if (seen.note(`person ${name} ${dateOfBirth}`, '', line) !== null) {
        note('probable-duplicates', line);
      }
    },
    /** A row was refused whose date would be valid with day and month swapped. */
    refuseSwapped: (line: number): void => note('day-and-month-swapped', line),

    findings(): LintFinding[] {
      const findings: LintFinding[] = [];
      const add = (code: LintCode, what: string, message: (rows: number) => string): void => {
        const { rows = 0, lines = [] } = found.get(what) ?? {};
        if (rows > 0) findings.push({ code, rows, message: message(rows), lines });
      };
      const newYear = found.get('first-of-january')?.rows ?? 0;
      if (isCluster(newYear, users, 1)) {
        add(
          'first-of-january',
          'first-of-january',
          (rows) =>
            `${ofAll(rows, users)} dates of birth are 1 January, where about ${Math.ceil(users / 365)} would be by chance: does your system write this for an unknown date? All of them would be greeted on 1 January at ${localTime}.`,
        );
      }
      for (const year of PLACEHOLDER_YEARS) {
        const rows = found.get(year)?.rows ?? 0;
        // Many people were really born in 1970.
        if (year === '1970' && !isCluster(rows, users, 5)) continue;
        add(
          'placeholder-year',
          year,
          (rows) =>
            `${ofAll(rows, users)} dates of birth are in ${year}, which many systems write for an unknown year. They are greeted on that day, with an age that may be wrong.`,
        );
      }
      add(
        'over-120',
        'over-120',
        (rows) =>
          `${ofAll(rows, users)} users would be older than 120 years. They are greeted anyway.`,
      );
      add(
        'day-and-month-swapped',
        'day-and-month-swapped',
        (rows) =>
          `${rows} refused dates would be valid with day and month swapped. Others may be swapped without being refused: check the date format.`,
      );
      if (users >= ENOUGH_USERS && daysAfterTwelfth === 0) {
        const message = `None of ${users} dates of birth is after the 12th of its month: day and month may be swapped. They would be greeted on the wrong day.`;
        findings.push({ code: 'day-and-month-swapped', rows: users, message, lines: [] });
      }
      add(
        'no-daylight-saving',
        'no-daylight-saving',
        (rows) =>
          `${ofAll(rows, users)} users have a time zone without daylight saving time (${[...zonesFound].slice(0, LINES_SHOWN).join(', ')}). Where clocks change, they are greeted an hour off for half of the year: send a place, such as America/New_York.`,
      );
      add(
        'probable-duplicates',
        'probable-duplicates',
        (rows) =>
          `${rows} users have the name and the date of birth of another one in the file. Each of them is greeted.`,
      );
      return findings;
    },
  };
}

const ENOUGH_USERS = 50;

/** At least ten, and more than this many percent. */
function isCluster(rows: number, users: number, percent: number): boolean {
  return rows >= 10 && rows * 100 > users * percent;
}

function ofAll(rows: number, users: number): string {
  return `${rows} of ${users}`;
}

/**
 * Zones without a place, such as `Etc/GMT+5` and `EST`, whose clocks never change; but not UTC
 * itself.
 */
function ignoresDaylightSaving(zone: string, now: number, tz: TzDatabase): boolean {
  const isOfNoPlace = /^(?:Etc\/.+|[A-Z]{3}[\d+-]*|GMT.*)$/.test(zone);
  if (!isOfNoPlace || UNIVERSAL.has(zone)) return false;
  const offsets = Array.from({ length: 12 }, (_, month) =>
    tz.offsetAt(zone, now + (month * YEAR_MS) / 12),
  );
  return new Set(offsets).size === 1;
}

const UNIVERSAL = new Set(['UTC', 'UCT', 'Etc/UTC', 'Etc/UCT', 'Etc/Universal', 'Etc/Zulu']);

/** Without accents, case and word separators. */
function plain(name: string): string {
  return name
    .normalize('NFD')
    .replaceAll(/[^\p{L}\p{N}]/gu, '')
    .toLowerCase();
}
