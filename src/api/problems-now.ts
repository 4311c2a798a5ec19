/** What is wrong at this moment. */
import { MAX_OFFSET_MS, createDatabaseClock } from '../delivery/clock-offset.ts';
import { createLedgerState } from '../ledger/ledger-state.ts';
import { lastKnown, withinLimit } from '../platform/async.ts';
import { createReconcileState } from '../reconcile/state.ts';
import { createOutboxAdmin } from '../users/outbox.ts';
import type { ApiDeps } from './deps.ts';
import * as sentences from './problem-sentences.ts';
import type { FoundProblem, ProblemCode } from './problem-sentences.ts';

export interface ProblemNow extends Pick<FoundProblem, 'sentence' | 'advice'> {
  readonly code: ProblemCode;
  /** Epoch ms: when it began, if that is known; else when this process first saw it. */
  readonly since: number;
}

export type ProblemDeps = Pick<
  ApiDeps,
  'orm' | 'deliveries' | 'readiness' | 'clock' | 'audit' | 'countPollers' | 'lastAudit'
>;

/** A read that takes longer is reported as a problem itself. */
const READ_WITHIN_MS = 3_000;
const ASK_TEMPORAL_EVERY_MS = 5_000;
/** The same as in the alarms of docs/operations.md. */
const OUTBOX_OLD_MS = 60_000;
const RECONCILER_SILENT_MS = 75 * 60_000;
/** If these fail, nothing can be read. */
const DATABASE_CHECKS = new Set(['database', 'migrations']);

/** Returns a function that finds the current problems, possibly none. It never rejects. */
export function createProblemsNow(deps: ProblemDeps): () => Promise<readonly ProblemNow[]> {
  const { orm, deliveries, clock } = deps;
  const { lateAfterMs } = deps.audit.limits;
  const ledger = createLedgerState(orm, { lateAfterMs });
  const outbox = createOutboxAdmin(orm);
  const reconciler = createReconcileState(orm);
  const readClock = createDatabaseClock(orm);
  // No request waits for Temporal.
  const pollers = lastKnown(async () => {
    const [workflow, activity] = await Promise.all([
      deps.countPollers('workflow'),
      deps.countPollers('activity'),
    ]);
    return Math.min(workflow, activity);
  }, ASK_TEMPORAL_EVERY_MS);

  async function findInDatabase(): Promise<(FoundProblem | null)[]> {
    const { databaseNow: now } = await readClock();
    const skewMs = now - clock();
    const [destinations, counts, late, changes, missed, reconciledAt] = await Promise.all([
      deliveries.findDestinations(),
      ledger.counts(),
      ledger.lateBacklog(),
      outbox.backlog(),
      reconciler.unrepaired(),
      reconciler.lastSucceededAt(),
    ]);
    const { oldestOpenAgeMs, retrying, blocked } = counts;
    const isSilent = reconciledAt !== null && now - reconciledAt > RECONCILER_SILENT_MS;
    return [
      ...destinations.flatMap(sentences.ofDestination),
      late.count === 0 ? null : sentences.backlog(late.count, now - (late.latenessMs ?? 0)),
      retrying === 0 || oldestOpenAgeMs <= lateAfterMs
        ? null
        : sentences.notDelivered(retrying, now - oldestOpenAgeMs),
      changes.oldestAgeMs <= OUTBOX_OLD_MS
        ? null
        : sentences.outboxOld(changes.length, now - changes.oldestAgeMs),
      changes.parked === 0 ? null : sentences.outboxParked(changes.parked),
      blocked === 0 ? null : sentences.unknownZones(blocked),
      Math.abs(skewMs) <= MAX_OFFSET_MS ? null : sentences.clockSkew(skewMs),
      missed === 0 ? null : sentences.missed(missed),
      isSilent ? sentences.reconcilerSilent(reconciledAt) : null,
    ];
  }

  async function find(): Promise<FoundProblem[]> {
    const { checks } = await deps.readiness();
    const failed = checks.filter(({ ready }) => !ready);
    const isUsable = !failed.some(({ name }) => DATABASE_CHECKS.has(name));
    const read = isUsable
      ? withinLimit(findInDatabase(), READ_WITHIN_MS).catch(() => [sentences.DATABASE_SLOW])
      : [];
    const audited = (deps.lastAudit() ?? []).filter(({ unaccounted }) => unaccounted > 0);
    const all = [
      ...failed.map(sentences.ofCheck),
      sentences.ofPollers(pollers()),
      ...(await read),
      ...audited.map(sentences.unaccounted),
    ];
    return all.filter((found) => found !== null);
  }

  const firstSeen = new Map<string, number>();
  return async () => {
    const found = await find();
    const names = new Set(found.map(nameOf));
    for (const name of firstSeen.keys()) if (!names.has(name)) firstSeen.delete(name);
    return found.map((problem) => {
      const { code, sentence, advice } = problem;
      const since = problem.since ?? firstSeen.get(nameOf(problem)) ?? clock();
      firstSeen.set(nameOf(problem), since);
      return { code, since, sentence, advice };
    });
  };
}

function nameOf({ code, subject }: FoundProblem): string {
  return `${code} ${subject}`;
}
