import type { FindingKind, ReconcileReport } from '../domain/reconcile-messages.ts';

const MEANINGS: Readonly<Record<FindingKind, string>> = {
  unattempted: 'past its instant, and nobody would have attempted it',
  stalled_redelivery: 'a redelivery that nobody attempts',
  unchecked: 'due within a day, and not planned again as it should have been',
  unfollowed: 'due within two hours, and its workflow does not run',
  unplanned: 'a user without a plan',
  orphaned: 'a plan whose user is gone',
  unreported: 'an outcome that Temporal has not been told for an hour',
  store_lost: 'planned by a workflow of a Temporal store that is gone',
  set_aside: 'an event that could not be relayed: npm run outbox',
};

/** What a reconciler found, for somebody at a terminal. */
export function reportInWords(report: ReconcileReport): string {
  const { detected, repaired, unrepaired, examples, notLookedFor, durationMs } = report;
  const seconds = (durationMs / 1000).toFixed(1);
  const kinds = (Object.keys(MEANINGS) as FindingKind[]).filter(
    (kind) => detected[kind] || repaired[kind] || unrepaired[kind],
  );
  const rows = kinds.map((kind) => [
    kind,
    String(detected[kind] ?? 0),
    String(repaired[kind] ?? 0),
    String(unrepaired[kind] ?? 0),
    MEANINGS[kind],
  ]);
  const table = alignColumns([['', 'found', 'repaired', 'not repaired', ''], ...rows]);
  return [
    ...(rows.length === 0 ? ['Nothing was missed.'] : table),
    '',
    ...examples.map(
      ({ kind, subject, workflowId, why }) =>
        `Not repaired: ${subject} (${kind})${workflowId === null ? '' : `, workflow ${workflowId}`}: ${why}.`,
    ),
    ...notLookedFor.map((kind) => `Could not look for what is ${kind}: see the worker's log.`),
    ...bystandersInWords(report),
    `Took ${seconds} s.`,
    '',
  ].join('\n');
}

/** True when there is something that an operator has to see to. */
export function needsOperator({ unrepaired, notLookedFor }: ReconcileReport): boolean {
  return Object.keys(unrepaired).length > 0 || notLookedFor.length > 0;
}

function bystandersInWords({ bystanders }: ReconcileReport): string[] {
  const { blocked, waiting, staleTokens } = bystanders;
  return [
    ...(blocked > 0 ? [`${blocked} cannot be planned: GET /v1/occurrences?blocked=true.`] : []),
    ...(waiting > 0
      ? [`${waiting} are due and wait for a dispatcher: GET /v1/deliveries says why.`]
      : []),
    ...(staleTokens > 0 ? [`${staleTokens} activities are open that nothing waits for.`] : []),
  ];
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
