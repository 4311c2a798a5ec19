import type {
  FindingCounts,
  FindingKind,
  ReconcileReport,
} from '../workflows/maintenance-contract.ts';
import type { LedgerReport } from './ledger.ts';
import type { Round } from './round.ts';

const MEANINGS: Readonly<Record<FindingKind, string>> = {
  unattempted: 'due for two minutes, and nobody attempts it',
  unplanned: 'an occasion without a plan',
  outdated: 'planned from older inputs than its user has now',
  orphaned: 'a plan whose user or occasion is gone',
  impossible: 'a row in a state that nothing leads to: somebody has edited it',
  parked: 'an outbox event that failed too often: npm run outbox',
  unwatched: 'no workflow has looked at it for two hours after it should have',
  lost: 'its workflow does not run',
  stray: 'a workflow without an occasion',
};

/** What a look through the ledger came to, for an operator at a terminal. */
export function ledgerInWords(report: LedgerReport): string {
  const { blocked, waiting } = report.bystanders;
  return textOf([
    ...roundInWords(report),
    ...(blocked > 0 ? [`${blocked} cannot be planned: GET /v1/occurrences?blocked=true.`] : []),
    ...(waiting > 0 ? [`${waiting} are due and wait: GET /v1/deliveries says why.`] : []),
    `Took ${(report.durationMs / 1000).toFixed(1)} s.`,
  ]);
}

/** The same of the workflows. */
export function workflowsInWords(report: ReconcileReport): string {
  const { rested, forgotten, compared, notLookedFor } = report;
  if (rested) return textOf(['A herd is going out: it looks again by itself when that is over.']);
  return textOf([
    ...roundInWords(report),
    ...(forgotten > 0
      ? [`This is another Temporal store than before: ${forgotten} workflows are notified again.`]
      : []),
    ...(compared === null ? [] : [`${compared} workflows were compared with the occasions.`]),
    ...notLookedFor.map((kind) => `Could not look for what is ${kind}: see the worker's log.`),
  ]);
}

/** Whether there is something that an operator has to see to. */
export function needsOperator(
  report: Pick<Round, 'unrepaired'> & Partial<Pick<ReconcileReport, 'notLookedFor'>>,
): boolean {
  return Object.keys(report.unrepaired).length > 0 || (report.notLookedFor ?? []).length > 0;
}

function roundInWords({ detected, repaired, unrepaired, examples }: Round): string[] {
  const kinds = (Object.keys(MEANINGS) as FindingKind[]).filter(
    (kind) => detected[kind] || repaired[kind] || unrepaired[kind],
  );
  if (kinds.length === 0) return ['Nothing was missed.'];
  const rows = kinds.map((kind) => [
    kind,
    countOf(detected, kind),
    countOf(repaired, kind),
    countOf(unrepaired, kind),
    MEANINGS[kind],
  ]);
  return [
    ...alignColumns([['', 'found', 'repaired', 'not repaired', ''], ...rows]),
    ...examples.map(({ kind, subject, why }) => `Not repaired: ${subject} (${kind}): ${why}.`),
  ];
}

function countOf(counts: FindingCounts, kind: FindingKind): string {
  return String(counts[kind] ?? 0);
}

function textOf(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const isNumber = column > 0 && column < row.length - 1;
        return isNumber ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0);
      })
      .join('  ')
      .trimEnd(),
  );
}
