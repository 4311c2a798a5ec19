import type {
  FindingCounts,
  FindingKind,
  UnrepairedFinding,
} from '../workflows/maintenance-contract.ts';
import type { Finding, Findings } from './findings.ts';

/** What one round of a half of the reconciler came to. */
export interface Round {
  readonly detected: FindingCounts;
  readonly repaired: FindingCounts;
  /** All that are not repaired, not only those of this round. */
  readonly unrepaired: FindingCounts;
  /** Of those, the first few. */
  readonly examples: readonly UnrepairedFinding[];
}

/** Counts what rounds come to, and the steps that fail: see metrics.ts. */
export interface ReconcileObserver {
  round(counts: {
    readonly detected: FindingCounts;
    readonly repaired: FindingCounts;
    /** Newly so. */
    readonly unrepaired: FindingCounts;
    readonly durationMs: number;
  }): void;
  step(result: 'succeeded' | 'failed'): void;
}

export interface ReconcileLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Logs what is not repaired: at level error, with the first few by name. */
export async function raiseAlarm(
  findings: Findings,
  kinds: readonly FindingKind[],
  logger: ReconcileLogger,
  explain: (finding: Finding) => Promise<string>,
): Promise<Pick<Round, 'unrepaired' | 'examples'>> {
  const { counts: unrepaired, examples: first } = await findings.unrepaired(kinds);
  const examples: UnrepairedFinding[] = [];
  for (const finding of first) {
    const { kind, subject } = finding;
    examples.push({ kind, subject, why: await explain(finding) });
  }
  if (examples.length > 0) {
    logger.error(
      { alarm: 'reconcile-unrepaired', unrepaired, examples },
      'reconciler: this could not be repaired',
    );
  }
  return { unrepaired, examples };
}
