/** Lists the occurrences behind the numbers of an audit, in pages. */
import { queryOf, readSnapshot } from '../ledger/sql.ts';
import type { OwnedOccasion } from '../ledger/types.ts';
import { type AuditDeps, walk } from './audit-day.ts';
import type { AuditFinding } from './audit-occasion.ts';
import { AuditNotListedError } from './errors.ts';
import { type AuditPlace, createAuditView, findStoredAudit } from './read-audit.ts';
import type { FindingName } from './report.ts';

/** Names of classes and groups, as the audit has them: `failed`, `failed.gone`, `unaccounted`. */
export const LISTED_CLASSES = [
  'delivered',
  'late',
  'failed',
  'skipped',
  'pending',
  'blocked',
  'deleted',
  'changedSince',
  'unaccounted',
  'doubles',
  'unexpected',
] as const;

/** Returns the rule that a text breaks as the name of a class to list, or null. */
export function auditClassFault(text: string): string | null {
  const [group = '', detail] = text.split('.');
  const isKnown = LISTED_CLASSES.some((name) => name === group);
  const hasDetails = group === 'failed' || group === 'skipped' || group === 'pending';
  if (isKnown && (detail === undefined || (hasDetails && /^\w+$/.test(detail)))) return null;
  return `must be one of ${LISTED_CLASSES.join(', ')}, or a part such as failed.gone`;
}

export interface AuditListFilter {
  /** Null for any. */
  readonly className: string | null;
  readonly type: string | null;
}

export interface AuditListPlace {
  /** The last occasion that was listed completely; null at the beginning. */
  readonly after: AuditPlace | null;
  /** How many findings of the next one were listed. */
  readonly listed: number;
}

export interface AuditListItem extends Omit<AuditFinding, 'name'> {
  readonly class: FindingName;
  readonly occasionType: string;
  readonly occasionId: string;
  readonly userId: string;
}

/**
 * A page of the outcomes of everything that fell due on a day, ordered by user. A page of a rare
 * class may read the whole day.
 *
 * @throws AuditNotListedError for a day of which only numbers are kept
 * @throws NoRulesError before `migrate` has recorded any
 */
export async function listAudited(
  deps: AuditDeps,
  date: string,
  { className, type }: AuditListFilter,
  { after, listed }: AuditListPlace,
  limit: number,
): Promise<{ items: AuditListItem[]; next: AuditListPlace | null }> {
  const isListed = ({ name }: AuditFinding): boolean =>
    className === null || name === className || name.startsWith(`${className}.`);
  if ((await findStoredAudit(queryOf(deps.orm), date)) !== null) throw new AuditNotListedError();
  return readSnapshot(deps.orm, async (em) => {
    const view = createAuditView(em);
    const rules = await view.findRules();
    const items: AuditListItem[] = [];
    let last = after;
    let skip = listed;
    const terms = { deps, date, now: deps.clock(), rules, from: after ?? undefined };
    for await (const { occasion, place, findings } of walk(view, terms)) {
      const isMeant = type === null || occasion.type === type;
      const own = isMeant ? [...findings].filter(isListed) : [];
      const fresh = own.slice(skip).map((finding) => itemOf(occasion, finding));
      const room = limit - items.length;
      items.push(...fresh.slice(0, room));
      if (fresh.length > room) return { items, next: { after: last, listed: skip + room } };
      last = place;
      skip = 0;
    }
    return { items, next: null };
  });
}

function itemOf(
  { type, id, userId }: OwnedOccasion,
  { name, ...finding }: AuditFinding,
): AuditListItem {
  return { class: name, occasionType: type, occasionId: id, userId, ...finding };
}
