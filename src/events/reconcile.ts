import { redeliveryWorkflowId, workflowId } from '../domain/occurrence-key.ts';
import type {
  ConcludeRequest,
  FindingCounts,
  FindingKind,
  LookResult,
  ReconcileReport,
  RepairResult,
  SettleResult,
  UnrepairedFinding,
} from '../domain/reconcile-messages.ts';
import type { EventType } from '../domain/event-type.ts';
import type {
  DueSoon,
  Finding,
  FollowerEngine,
  ReconcileLedger,
  ReconcileObserver,
} from './reconciliation.ts';
import { createRepair, type RepairDeps } from './repair.ts';

export interface ReconcileDeps extends RepairDeps {
  readonly ledger: ReconcileLedger;
  readonly engine: FollowerEngine;
  /** Those that follow every user. */
  readonly eventTypes: readonly EventType[];
  /** Epoch ms. */
  readonly clock: () => number;
  readonly observer?: ReconcileObserver;
  readonly logger?: ReconcileLogger;
}

interface ReconcileLogger {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The steps of a round. Each is safe to repeat, at any time, and beside another reconciler's. */
export interface Reconciler {
  /** Looks for one kind. Nothing comes of it before it is confirmed. */
  look(kind: FindingKind, onPage: () => void): Promise<LookResult>;
  confirm(): Promise<FindingCounts>;
  /** Tells a page of followers to plan again, paced. */
  repair(stopping: AbortSignal): Promise<RepairResult>;
  settle(): Promise<SettleResult>;
  /** Counts, logs and measures what the round came to. */
  conclude(request: ConcludeRequest): Promise<ReconcileReport>;
}

/**
 * Findings of a kind in a round: at the pace of repairs under two minutes, so that a store
 * of millions is rebuilt in rounds, and what is urgent is looked for between them.
 */
const MOST_OF_A_KIND = 5_000;
/** Answered by one query of the engine's visibility in milliseconds. */
const ASKED_AT_ONCE = 500;
/** As many as somebody reads. */
const EXAMPLES = 20;

/** Finds what was missed or will be, and has it planned again: section 6 of the design. */
export function createReconciler(deps: ReconcileDeps): Reconciler {
  const { ledger, engine, eventTypes, clock, observer, logger } = deps;

  async function lookForUnfollowed(onPage: () => void): Promise<LookResult> {
    let suspected = 0;
    for (let after: DueSoon | null | undefined = null; after !== undefined;) {
      const page: DueSoon[] = await ledger.findDueSoon(after, ASKED_AT_ONCE);
      const running = await engine.findRunning(page.map(idOf));
      const lost = page.filter((plan) => !running.has(idOf(plan)));
      suspected += await ledger.suspectUnfollowed(lost.map(({ key }) => key));
      after = page.length < ASKED_AT_ONCE ? undefined : page.at(-1);
      onPage();
    }
    return { suspected, more: false };
  }

  async function explain(finding: Finding): Promise<UnrepairedFinding> {
    const { subject, kind, eventType, userId, note } = finding;
    if (eventType === null || userId === null) {
      return {
        subject,
        kind,
        workflowId: null,
        why: note ?? 'an operator has to see to it, by npm run outbox',
      };
    }
    const id =
      kind === 'stalled_redelivery' ? redeliveryWorkflowId(subject) : workflowId(eventType, userId);
    const why = await engine.look(id).then(
      ({ words }) => words,
      () => 'Temporal could not be asked',
    );
    return { subject, kind, workflowId: id, why };
  }

  return {
    async look(kind, onPage) {
      if (kind === 'unfollowed') return lookForUnfollowed(onPage);
      if (kind === 'store_lost') await ledger.rememberStore(await engine.storeId());
      return ledger.look(kind, { eventTypes, limit: MOST_OF_A_KIND, onPage });
    },

    confirm: () => ledger.confirm(),
    repair: createRepair(deps),
    settle: () => ledger.settle(),

    async conclude({ notLookedFor, ...counts }) {
      const { counts: unrepaired, fresh, examples } = await ledger.markUnrepaired();
      const bystanders = await ledger.countBystanders();
      if (notLookedFor.length === 0) await ledger.markSucceeded();
      const explained = await Promise.all(examples.slice(0, EXAMPLES).map(explain));
      const durationMs = Math.max(0, clock() - counts.startedAt);

      const { detected, repaired } = counts;
      observer?.concluded({ detected, repaired, unrepaired: fresh, durationMs });
      const about = { ...counts, unrepaired, ...bystanders, notLookedFor, durationMs };
      logger?.info(about, 'reconciler: looked for what was missed');
      if (explained.length > 0) {
        logger?.error(
          { alarm: 'reconcile-unrepaired', unrepaired, examples: explained },
          'reconciler: this could not be repaired',
        );
      }
      return { ...counts, unrepaired, examples: explained, bystanders, notLookedFor, durationMs };
    },
  };
}

function idOf({ eventType, userId }: DueSoon): string {
  return workflowId(eventType, userId);
}
