import type { FindingKind, ReconcileReport } from '../workflows/maintenance-contract.ts';
import type { Round } from './findings.ts';

const MEANINGS: Readonly<Record<FindingKind, string>> = {
  unattempted: 'due for two minutes, and no process attempts it',
  unplanned: 'without a plan, or planned from inputs that have changed',
  impossible: 'a row in a state that no transition leads to: it was edited',
  unwatched: 'no workflow has checked it for two hours after it should have',
  lost: 'its workflow does not run',
  stray: 'a workflow without an occasion',
};

/** Describes a check of the ledger or the workflows, for an operator at a terminal. */
export function describeReport(report: Round & Partial<ReconcileReport>): string {
  const { rested, forgotten = 0, compared = null, notLookedFor = [] } = report;
  if (rested) return 'Postponed while a herd is sent: the next scheduled run checks again.\n';
  const lines = describeRound(report);
  if (forgotten > 0) {
    lines.push(`This is another Temporal store: ${forgotten} workflows are notified again.`);
  }
  if (compared !== null) lines.push(`${compared} workflows were compared with the occasions.`);
  for (const kind of notLookedFor) {
    lines.push(`Could not look for what is ${kind}: see the worker's log.`);
  }
  return `${lines.join('\n')}\n`;
}

/** Whether an operator has to do something. */
export function needsOperator({
  unrepaired,
  notLookedFor = [],
}: Round & Partial<ReconcileReport>): boolean {
  return Object.keys(unrepaired).length > 0 || notLookedFor.length > 0;
}

function describeRound({ detected, repaired, unrepaired, examples }: Round): string[] {
  const kinds = Object.entries(MEANINGS) as [FindingKind, string][];
  const lines = kinds.flatMap(([kind, meaning]) => {
    const counts = [detected, repaired, unrepaired].map((counted) => counted[kind] ?? 0);
    const [found, cured, left] = counts;
    if (counts.every((count) => count === 0)) return [];
    return [`${kind}: ${found} found, ${cured} repaired, ${left} not repaired (${meaning})`];
  });
  if (lines.length === 0) return ['Nothing was missed.'];
  return [
    ...lines,
    ...examples.map(({ kind, subject, why }) => `Not repaired: ${subject} (${kind}): ${why}.`),
  ];
}
