/**
 * The occurrence rule written a second time, slowly and another way: by looking at what
 * clocks show all through the days around a local time. It knows the offsets of Intl, or
 * those it is given, and nothing of luxon or of src/time.
 */
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export interface OracleFacts {
  readonly dateOfBirth: string;
  readonly timezone: string;
}

export interface OracleRules {
  readonly leapDayPolicy: 'feb28' | 'mar1';
  readonly localTime: string;
}

/** A period in which the offset stays the same; both ends as instants, the second excluded. */
interface Stretch {
  readonly from: number;
  readonly until: number;
  readonly offset: number;
}

export interface OracleAnswer {
  readonly dueAt: number;
  readonly kind: 'unique' | 'repeated' | 'missing_time' | 'missing_day';
}

export interface Oracle {
  offsetAt(timezone: string, instantMs: number): number;
  /**
   * Every instant of a period at which clocks change, to the ms, if no step contains two of them.
   */
  changesBetween(timezone: string, from: number, until: number, stepMs?: number): number[];
  occurrenceInYear(facts: OracleFacts, year: number, rules: OracleRules): OracleAnswer;
}

/** Ms ahead of UTC. */
type OffsetAt = (timezone: string, instantMs: number) => number;

export function createIntlOracle(): Oracle {
  return createOracle(intlOffsets());
}

function intlOffsets(): OffsetAt {
  const formats = new Map<string, Intl.DateTimeFormat>();
  return (timezone, instantMs) => {
    let format = formats.get(timezone);
    if (format === undefined) {
      format = new Intl.DateTimeFormat('en-US', { timeZone: timezone, timeZoneName: 'longOffset' });
      formats.set(timezone, format);
    }
    const text = format.format(instantMs);
    const parts = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(text);
    if (parts === null) throw new Error(`Intl wrote ${text}`);
    const [, sign, hours = '0', minutes = '0', seconds = '0'] = parts;
    const size = Number(hours) * HOUR_MS + Number(minutes) * MINUTE_MS + Number(seconds) * 1000;
    return sign === '-' ? -size : size;
  };
}

export function createOracle(offsetAt: OffsetAt): Oracle {
  function changesBetween(timezone: string, from: number, until: number, stepMs = HOUR_MS) {
    const changes: number[] = [];
    for (let start = from; start < until; start += stepMs) {
      let [low, high] = [start, Math.min(start + stepMs, until)];
      const before = offsetAt(timezone, low);
      if (offsetAt(timezone, high) === before) continue;
      while (high - low > 1) {
        const middle = Math.floor((low + high) / 2);
        if (offsetAt(timezone, middle) === before) low = middle;
        else high = middle;
      }
      changes.push(high);
    }
    return changes;
  }

  function stretchesAround(timezone: string, wallMs: number): Stretch[] {
    // Clocks are at most 16 h away from UTC, and a day may have to be examined from end to end.
    const [from, until] = [wallMs - 44 * HOUR_MS, wallMs + 44 * HOUR_MS];
    // Two changes within four hours would give the oracle, not the rule, another answer.
    const edges = [from, ...changesBetween(timezone, from, until, 4 * HOUR_MS), until];
    return edges.slice(0, -1).map((edge, index) => ({
      from: edge,
      until: edges[index + 1] ?? until,
      offset: offsetAt(timezone, edge),
    }));
  }

  function resolve(timezone: string, wallMs: number): OracleAnswer {
    const stretches = stretchesAround(timezone, wallMs);
    const shown = stretches
      .map(({ from, until, offset }) => ({ instant: wallMs - offset, from, until }))
      .filter(({ instant, from, until }) => instant >= from && instant < until)
      .map(({ instant }) => instant);
    const [first] = shown;
    if (first !== undefined)
      return { dueAt: first, kind: shown.length > 1 ? 'repeated' : 'unique' };

    const dayStart = Math.floor(wallMs / DAY_MS) * DAY_MS;
    const isDayShown = stretches.some(
      ({ from, until, offset }) => from + offset < dayStart + DAY_MS && until + offset > dayStart,
    );
    if (!isDayShown) return { ...resolve(timezone, wallMs + DAY_MS), kind: 'missing_day' };

    const last = stretches.findLast(({ until, offset }) => until + offset <= wallMs);
    if (last === undefined) throw new Error('no stretch before a gap');
    // As far after the jump as the time asked for is past the moment clocks were stopped.
    return { dueAt: last.until + (wallMs - (last.until + last.offset)), kind: 'missing_time' };
  }

  return {
    offsetAt,
    changesBetween,
    occurrenceInYear({ dateOfBirth, timezone }, year, { leapDayPolicy, localTime }) {
      const monthAndDay = dateOfBirth.slice(4);
      const sameDay = `${String(year).padStart(4, '0')}${monthAndDay}T${localTime}:00.000Z`;
      const wall = new Date(sameDay);
      const exists = !Number.isNaN(wall.getTime()) && wall.toISOString() === sameDay;
      const kept = leapDayPolicy === 'feb28' ? '-02-28' : '-03-01';
      return resolve(timezone, Date.parse(exists ? sameDay : sameDay.replace(monthAndDay, kept)));
    },
  };
}
