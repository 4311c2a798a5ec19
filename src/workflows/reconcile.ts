import {
  ActivityFailure,
  continueAsNew,
  log,
  proxyActivities,
  setCurrentDetails,
  sleep,
} from '@temporalio/workflow';

import type { Activities } from '../activities/index.ts';
import type {
  FindingCounts,
  FindingKind,
  ReconcileCounts,
  ReconcileReport,
  ReconcileRequest,
  ReconcileWaits,
} from './messages.ts';

/**
 * Finds what was missed or will be, has it planned again, and sees what has come of that. A
 * Temporal Schedule starts it; its result is what it found. As long as there is more, it
 * goes on in rounds.
 */
export async function reconcile({
  earlier,
  waits,
}: ReconcileRequest = {}): Promise<ReconcileReport> {
  const { secondLookMs, patienceMs } = waits ?? USUAL_WAITS;
  const startedAt = Date.now();
  const { suspected, more, notLookedFor } = await lookForAll();
  // What is only on its way somewhere has arrived by then.
  if (suspected > 0) await sleep(secondLookMs);
  const detected = await confirm();
  const tried = await repairAll(sum(detected));
  const repaired = await settleAll(tried, patienceMs);
  setCurrentDetails('Counts what it has come to.');
  const report = await conclude({ detected, repaired, tried, startedAt, notLookedFor });

  const counts = add(earlier, report);
  if (more) return continueAsNew<typeof reconcile>({ earlier: counts, ...(waits && { waits }) });
  return { ...report, ...counts, durationMs: report.durationMs + startedAt - counts.startedAt };
}

/** In this order: of one occurrence, the first that is found is what is said of it. */
const KINDS: readonly FindingKind[] = [
  'set_aside',
  'unattempted',
  'stalled_redelivery',
  'unchecked',
  'unfollowed',
  'unreported',
  'unplanned',
  'orphaned',
  'store_lost',
];

const USUAL_WAITS: ReconcileWaits = { secondLookMs: 10_000, patienceMs: 30_000 };
const LONGEST_PAUSE_MS = 10_000;
/** A page is told in ten seconds, of which a round has up to ninety. */
const MOST_PAGES = 120;

async function lookForAll() {
  let suspected = 0;
  let more = false;
  const notLookedFor: FindingKind[] = [];
  for (const kind of KINDS) {
    setCurrentDetails(`Looks for what is ${kind}; ${suspected} suspected so far.`);
    try {
      const result = await look({ kind });
      suspected += result.suspected;
      more ||= result.more;
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      log.warn('could not look for one kind', { kind });
      notLookedFor.push(kind);
    }
  }
  return { suspected, more, notLookedFor };
}

/** Gives how many were tried. */
async function repairAll(detected: number): Promise<number> {
  let tried = 0;
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    setCurrentDetails(`Found ${detected}; has told ${tried} to plan again.`);
    const page = await repair();
    if (page.tried === 0) break;
    tried += page.tried;
  }
  return tried;
}

/** As long as something still comes of what was tried. */
async function settleAll(tried: number, patienceMs: number): Promise<FindingCounts> {
  let { repaired, awaited } = await settle();
  if (tried === 0) return repaired;
  let waitedMs = 0;
  for (let pauseMs = 1_000; awaited > 0 && waitedMs < patienceMs;) {
    setCurrentDetails(`Has told ${tried} to plan again; awaits what comes of ${awaited}.`);
    await sleep(pauseMs);
    waitedMs += pauseMs;
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    const now = await settle();
    if (now.awaited < awaited) waitedMs = 0;
    repaired = addCounts(repaired, now.repaired);
    awaited = now.awaited;
  }
  return repaired;
}

function add(earlier: ReconcileCounts | undefined, now: ReconcileCounts): ReconcileCounts {
  const { detected, repaired, tried, startedAt } = now;
  if (earlier === undefined) return { detected, repaired, tried, startedAt };
  return {
    detected: addCounts(earlier.detected, detected),
    repaired: addCounts(earlier.repaired, repaired),
    tried: earlier.tried + tried,
    startedAt: earlier.startedAt,
  };
}

function addCounts(left: FindingCounts, right: FindingCounts): FindingCounts {
  const counts: Partial<Record<FindingKind, number>> = { ...left };
  for (const kind of KINDS) {
    const count = (left[kind] ?? 0) + (right[kind] ?? 0);
    if (count > 0) counts[kind] = count;
  }
  return counts;
}

function sum(counts: FindingCounts): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

// With the database or Temporal's visibility away for longer it goes on without, or fails, and
// the next one begins anew.
const retry = { initialInterval: 1_000, backoffCoefficient: 2, maximumInterval: 20_000 };

const { lookForMissed: look } = proxyActivities<Activities>({
  // Heartbeats come between pages, of which each takes a second or less.
  startToCloseTimeout: 10 * 60_000,
  heartbeatTimeout: 60_000,
  scheduleToCloseTimeout: 15 * 60_000,
  retry: { ...retry, maximumAttempts: 5 },
});

const {
  confirmMissed: confirm,
  repairMissed: repair,
  settleMissed: settle,
  concludeReconcile: conclude,
} = proxyActivities<Activities>({
  startToCloseTimeout: 5 * 60_000,
  scheduleToCloseTimeout: 20 * 60_000,
  retry,
});
