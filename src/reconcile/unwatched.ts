import { queryOf } from '../ledger/sql.ts';
import type { OccasionRef } from '../ledger/types.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { ReconcileStep } from '../workflows/maintenance-contract.ts';
import type { Finding, Findings, RememberedFinding } from './findings.ts';
import * as sql from './wakes-sql.ts';

/** Found in one look: notified in a minute or two, and looked at in a few. */
const AT_ONCE = 5_000;
/** So often a workflow is notified before an alarm names it; after that once a day. */
const TRIES = 3;
/** A workflow that is there, or is started, has looked by then. */
const BETWEEN_TRIES_MS = 5 * 60_000;
const BETWEEN_LATER_TRIES_MS = 24 * 3_600_000;

interface UnwatchedOccasion extends OccasionRef {
  readonly subject: string;
  readonly userId: string;
  readonly dueAt: number | null;
  /** How often it was notified for this reason. */
  readonly reconciled: number;
}

/** Occasions that no workflow has looked at for two hours after it should have. */
export function createUnwatched(orm: Orm, findings: Findings) {
  const query = queryOf(orm);

  /** Those of the known findings that still hold, with how often each was tried. */
  async function stillUnwatched(
    known: readonly RememberedFinding[],
  ): Promise<Map<string, UnwatchedOccasion>> {
    if (known.length === 0) return new Map();
    const rows = await query<UnwatchedOccasion>(sql.STILL_UNWATCHED, occasionsOf(known));
    return new Map(rows.map((row) => [row.subject, row]));
  }

  return {
    async look(): Promise<ReconcileStep> {
      const found = await query<UnwatchedOccasion>(sql.FIND_UNWATCHED, { limit: AT_ONCE });
      const detected = await findings.keep(found.map(findingOf));
      const known = await findings.list(['unwatched']);
      const still = await stillUnwatched(known);

      const cured = known.filter(({ subject }) => !still.has(subject));
      if (cured.length > 0) await query(sql.FORGET_TRIES, occasionsOf(cured));
      const repaired = await findings.drop(cured);

      const due = known.filter((finding) => {
        const occasion = still.get(finding.subject);
        return occasion !== undefined && isToTry(finding, occasion);
      });
      if (due.length > 0) {
        await query(sql.NOTIFY_AGAIN, occasionsOf(due));
        await findings.markTried(due);
      }
      return { detected, repaired };
    },

    /** Those that were notified as often as helps. */
    async findHopeless(): Promise<Finding[]> {
      const known = await findings.list(['unwatched']);
      const still = await stillUnwatched(known);
      return known.filter((finding) => {
        const { reconciled = 0 } = still.get(finding.subject) ?? {};
        return reconciled >= TRIES && (finding.triedAgoMs ?? 0) > BETWEEN_TRIES_MS;
      });
    },
  };
}

function isToTry({ triedAgoMs }: RememberedFinding, { reconciled }: UnwatchedOccasion): boolean {
  if (triedAgoMs === null) return true;
  return triedAgoMs > (reconciled < TRIES ? BETWEEN_TRIES_MS : BETWEEN_LATER_TRIES_MS);
}

function findingOf({ subject, type, id, userId, dueAt }: UnwatchedOccasion): Finding {
  const note = 'no workflow has looked at it since it should have woken';
  return { kind: 'unwatched', subject, type, id, userId, dueAt, note };
}

function occasionsOf(findings: readonly Finding[]) {
  return { occasions: JSON.stringify(findings.map(({ type, id }) => ({ type, id }))) };
}
