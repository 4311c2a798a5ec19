import type {
  FindingCounts,
  FindingKind,
  ReconcileReport,
} from '../workflows/maintenance-contract.ts';
import type { Round } from './findings.ts';

const MEANINGS: Readonly<Record<FindingKind, string>> = {
  unattempted: 'due for two minutes, and nobody attempts it',
  unplanned: 'without a plan, or planned from inputs that have changed',
  impossible: 'a row in a state that nothing leads to: somebody has edited it',
  unwatched: 'no workflow has looked at it for two hours after it should have',
  lost: 'its workflow does not run',
  stray: 'a workflow without an occasion',
};

/** What a look through the ledger came to, for an operator at a terminal. */
export function describeLedger(report: Round): string {
  return textOf(describeRound(report));
}

/** The same of the workflows. */
export function describeWorkflows(report: ReconcileReport): string {
  const { rested, forgotten, compared, notLookedFor } = report;
  if (rested) return 'A herd is going out: it looks again by itself when that is over.\n';
  const lines = describeRound(report);
  if (forgotten > 0) {
    lines.push(`This is another Temporal store: ${forgotten} workflows are notified again.`);
  }
  if (compared !== null) lines.push(`${compared} workflows were compared with the occasions.`);
  for (const kind of notLookedFor) {
    lines.push(`Could not look for what is ${kind}: see the worker's log.`);
  }
  return textOf(lines);
}

/** Whether an operator has to do something. */
export function needsOperator(
  report: Pick<Round, 'unrepaired'> & Partial<Pick<ReconcileReport, 'notLookedFor'>>,
): boolean {
  return Object.keys(report.unrepaired).length > 0 || (report.notLookedFor ?? []).length > 0;
}

function describeRound({ detected, repaired, unrepaired, examples }: Round): string[] {
  const kinds = (Object.keys(MEANINGS) as FindingKind[]).filter(
    (kind) => detected[kind] || repaired[kind] || unrepaired[kind],
  );
  if (kinds.length === 0) return ['Nothing was missed.'];
  return [
    ...kinds.map((kind) => {
      const of = (counts: FindingCounts): number => counts[kind] ?? 0;
      const numbers = `${of(detected)} found, ${of(repaired)} repaired, ${of(unrepaired)} not repaired`;
      return `${kind}: ${numbers} (${MEANINGS[kind]})`;
    }),
    ...examples.map(({ kind, subject, why }) => `Not repaired: ${subject} (${kind}): ${why}.`),
  ];
}

function textOf(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
