import type {
  FindingKind,
  ReconcileReport,
  UnrepairedFinding,
} from '../workflows/maintenance-contract.ts';
import type { Finding, Findings } from './findings.ts';

/** What one round of a half of the reconciler came to. */
export type Round = Pick<ReconcileReport, 'detected' | 'repaired' | 'unrepaired' | 'examples'>;

export interface ReconcileLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Logs at level error what is not repaired, the first few by name. */
export async function raiseAlarm(
  findings: Findings,
  kinds: readonly FindingKind[],
  logger: ReconcileLogger,
  explain = async ({ note }: Finding): Promise<string> => note,
): Promise<Pick<Round, 'unrepaired' | 'examples'>> {
  const { counts: unrepaired, examples: first } = await findings.unrepaired(kinds);
  const examples: UnrepairedFinding[] = [];
  for (const finding of first) {
    const { kind, subject } = finding;
    examples.push({ kind, subject, why: await explain(finding) });
  }
  if (examples.length > 0) {
    const fields = { alarm: 'reconcile-unrepaired', unrepaired, examples };
    logger.error(fields, 'reconciler: this could not be repaired');
  }
  return { unrepaired, examples };
}
