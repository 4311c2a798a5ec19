/** Repeated requests for what the receiver had already taken, and what explains them. */
import type { Fault } from './faults.ts';
import type { Arrival } from './receiver.ts';

export interface Duplicates {
  /** Occurrences that the receiver took more than once, or was sent again after it had. */
  readonly occurrences: number;
  /** The number of extra requests, by explanation. */
  readonly explained: Readonly<Record<string, number>>;
  /** Those without an explanation: a line each. */
  readonly unexplained: readonly string[];
}

/** The processes and links behind a port of the receiver. */
export interface Way {
  /** The process that sends this way. */
  readonly sender: string;
  readonly links: readonly string[];
}

/** Between an answer and the ledger: 0.1 s, and much more on a machine that is busy. */
const WRITTEN_WITHIN_MS = 5_000;

/** @param ways by the port that requests came by */
export function explainDuplicates(
  arrivals: readonly Arrival[],
  faults: readonly Fault[],
  ways: ReadonlyMap<number, Way>,
): Duplicates {
  const explained: Record<string, number> = {};
  const unexplained: string[] = [];
  const repeated = new Set<string>();
  for (const [id, requests] of Map.groupBy(arrivals, ({ webhookId }) => webhookId)) {
    const inOrder = requests.toSorted((one, other) => one.at - other.at);
    for (const [index, request] of inOrder.entries()) {
      const earlier = inOrder.slice(0, index).filter(({ outcome }) => outcome !== 'refused');
      if (earlier.length === 0) continue;
      repeated.add(id);
      const reasons = earlier.map((taken) => explain(taken, faults, ways.get(taken.port)));
      const reason = reasons.find((each) => each !== null);
      if (reasons.includes(null) || reason === undefined || reason === null) {
        unexplained.push(
          `${id} at ${new Date(request.at).toISOString()}, after ${inOrder.map(({ at, outcome, port }) => `${outcome} at ${new Date(at).toISOString()} by ${ways.get(port)?.sender}`).join(', ')}`,
        );
      } else {
        explained[reason] = (explained[reason] ?? 0) + 1;
      }
    }
  }
  return { occurrences: repeated.size, explained, unexplained };
}

/** Why the ledger may not have recorded what was taken; null if it must have. */
export function explain(
  { outcome, at, endedAt }: Arrival,
  faults: readonly Fault[],
  way: Way | undefined,
): string | null {
  if (outcome === 'lost') return 'answer lost';
  const until = (endedAt ?? at) + WRITTEN_WITHIN_MS;
  const overlaps = (fault: Fault): boolean => fault.from <= until && fault.until >= at;
  const found = faults.find(
    (fault) =>
      overlaps(fault) &&
      (fault.kind === 'kill' || fault.kind === 'suspend'
        ? fault.target === way?.sender || fault.target === 'postgres'
        : way?.links.includes(fault.target)),
  );
  if (found === undefined) return null;
  return `${found.kind} of ${found.target.replace(/-\d/, '')}`;
}
