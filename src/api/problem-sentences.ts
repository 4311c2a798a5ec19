/** Every problem that can be found, as a sentence, with what to do about it. */
import type { AuditedDay } from '../audit/watch.ts';
import type { DestinationState } from '../ledger/delivery-control.ts';
import type { ReadinessCheck } from '../platform/probes.ts';

export const PROBLEM_CODES = [
  'database-away',
  'database-slow',
  'not-migrated',
  'process-down',
  'temporal-away',
  'no-workers',
  'paused',
  'slowed',
  'no-dispatchers',
  'backlog',
  'not-delivered',
  'outbox-old',
  'outbox-parked',
  'unknown-zones',
  'clock-skew',
  'missed',
  'reconciler-silent',
  'unaccounted',
] as const;
export type ProblemCode = (typeof PROBLEM_CODES)[number];

export interface FoundProblem {
  readonly code: ProblemCode;
  /**
   * Tells it from others with the same code, such as the destination; empty if there is only one.
   */
  readonly subject: string;
  /** Epoch ms; null where it is not known. */
  readonly since: number | null;
  readonly sentence: string;
  readonly advice: string;
}

export const DATABASE_SLOW: FoundProblem = {
  code: 'database-slow',
  subject: '',
  since: null,
  sentence: 'The database takes seconds to answer, so nothing else is known here.',
  advice: 'See what blocks it: "Query slow" in docs/operations.md has the statement for it.',
};

/** A check of /readyz that failed. */
export function ofCheck({ name, detail = 'not ready' }: ReadinessCheck): FoundProblem {
  if (name === 'database') {
    return {
      code: 'database-away',
      subject: '',
      since: null,
      sentence: `The database cannot be used: ${detail}.`,
      advice: 'Start it, or restore the connection. What fell due meanwhile is sent once, late.',
    };
  }
  if (name === 'migrations') {
    return {
      code: 'not-migrated',
      subject: '',
      since: null,
      sentence: `The database is not ready for this version: ${detail}.`,
      advice: 'Run npm run migrate.',
    };
  }
  return {
    code: 'process-down',
    subject: name,
    since: null,
    sentence: `The process ${name} is not ready: ${detail}.`,
    advice: 'Its log says why. It restarts automatically.',
  };
}

/** @param pollers null if Temporal does not answer; undefined before the first query */
export function ofPollers(pollers: number | null | undefined): FoundProblem | null {
  const about = { subject: '', since: null };
  if (pollers === null) {
    return {
      ...about,
      code: 'temporal-away',
      sentence: 'Temporal does not answer. Dispatchers keep sending what is due.',
      advice:
        'Start it, or restore the connection. Until then nothing sends what the dispatchers miss.',
    };
  }
  if (pollers !== 0) return null;
  return {
    ...about,
    code: 'no-workers',
    sentence: 'No worker has asked Temporal for work in the last two minutes.',
    advice:
      'Start npm run worker, or see "No pollers" in docs/operations.md. Dispatchers keep sending what is due.',
  };
}

export function ofDestination(found: DestinationState): FoundProblem[] {
  const { id, pausedAt, pauseReason, slowDown, dispatchers } = found;
  const problems: FoundProblem[] = [];
  if (pausedAt !== null) {
    problems.push({
      code: 'paused',
      subject: id,
      since: pausedAt,
      sentence: `Deliveries to ${id} are paused: ${pauseReason ?? 'no reason was given'}.`,
      advice: 'Resume them when the reason is gone. What passes LATE_LIMIT meanwhile is skipped.',
    });
  }
  if (slowDown !== null) {
    problems.push({
      code: 'slowed',
      subject: id,
      since: slowDown.since,
      sentence: `The receiver of ${id} asks to slow down (429 or 503).`,
      advice: 'It ends by itself when the receiver answers again; resuming ends it at once.',
    });
  }
  if (dispatchers === 0) {
    problems.push({
      code: 'no-dispatchers',
      subject: id,
      since: null,
      sentence: `No dispatcher sends to ${id}: workflows do, later and more slowly.`,
      advice:
        'Start npm run dispatcher with the settings of this destination. If one runs, its log says why it sends nothing: its clock, or the database.',
    });
  }
  return problems;
}

export function backlog(count: number, oldestDueAt: number): FoundProblem {
  return {
    code: 'backlog',
    subject: '',
    since: oldestDueAt,
    sentence: `${occurrences(count)} due longer ago than LATE_AFTER and not yet attempted.`,
    advice:
      'They are sent behind what is on time. If their number does not fall, resume deliveries or start another dispatcher.',
  };
}

export function notDelivered(count: number, oldestDueAt: number): FoundProblem {
  return {
    code: 'not-delivered',
    subject: '',
    since: oldestDueAt,
    sentence: `${occurrences(count)} waiting for another attempt, the oldest for longer than LATE_AFTER.`,
    advice: 'See what the receiver answers, and fix it: they are sent at their next attempt.',
  };
}

export function outboxOld(count: number, since: number): FoundProblem {
  const changes = count === 1 ? '1 change of a user waits' : `${number(count)} changes wait`;
  return {
    code: 'outbox-old',
    subject: '',
    since,
    sentence: `${changes} to be planned, the oldest for more than a minute.`,
    advice: 'Start npm run scheduler. If it runs, its log says what fails.',
  };
}

export function outboxParked(count: number): FoundProblem {
  return {
    code: 'outbox-parked',
    subject: '',
    since: null,
    sentence: `${number(count)} of the changes of users could not be planned, and were parked.`,
    advice: 'npm run outbox says why; npm run outbox -- retry --all tries them again.',
  };
}

export function unknownZones(count: number): FoundProblem {
  return {
    code: 'unknown-zones',
    subject: '',
    since: null,
    sentence: `${occurrences(count)} without a due instant, because the time zone is unknown here.`,
    advice: 'Correct the users, or upgrade the tz database: docs/time.md says how.',
  };
}

/** @param skewMs the database's clock minus this process's */
export function clockSkew(skewMs: number): FoundProblem {
  const seconds = number(Math.round(Math.abs(skewMs) / 1_000));
  return {
    code: 'clock-skew',
    subject: '',
    since: null,
    sentence: `The clock of this machine is ${seconds} s ${skewMs > 0 ? 'behind' : 'ahead of'} the database's.`,
    advice:
      'Set both by NTP. A dispatcher with such a clock sends nothing: receivers refuse what it signs.',
  };
}

export function missed(count: number): FoundProblem {
  return {
    code: 'missed',
    subject: '',
    since: null,
    sentence: `The reconciler cannot repair ${number(count)} of its findings.`,
    advice: 'npm run reconcile lists them; docs/reliability.md says what each means.',
  };
}

export function reconcilerSilent(since: number): FoundProblem {
  return {
    code: 'reconciler-silent',
    subject: '',
    since,
    sentence: 'The reconciler has not completed a round for more than 75 minutes.',
    advice: 'Run npm run reconcile; see "Reconciler silent" in docs/operations.md.',
  };
}

export function unaccounted({ date, unaccounted: count, auditedAt }: AuditedDay): FoundProblem {
  return {
    code: 'unaccounted',
    subject: date,
    since: Date.parse(auditedAt),
    sentence: `${number(count)} of the occurrences due on ${date} are unaccounted for.`,
    advice: 'Audit the day for their names, then run npm run reconcile.',
  };
}

function occurrences(count: number): string {
  return count === 1 ? '1 occurrence is' : `${number(count)} occurrences are`;
}

function number(value: number): string {
  return value.toLocaleString('en');
}
