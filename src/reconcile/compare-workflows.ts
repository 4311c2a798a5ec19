import { hash } from 'node:crypto';

import pLimit from 'p-limit';

import { occasionOfWorkflowId } from '../ledger/occurrence-key.ts';
import { ms, queryOf } from '../ledger/sql.ts';
import type { OccasionRef } from '../ledger/types.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { Comparison } from '../workflows/maintenance-contract.ts';
import type { OccasionWorkflows } from '../workflows/occasion-client.ts';
import { countByKind, type Finding, type Findings } from './findings.ts';
import { notifyAgain } from './notify-again.ts';
import type { RunningWorkflows } from './running-workflows.ts';
import { findState, noteLook } from './state.ts';

export interface ComparisonDeps {
  readonly orm: Orm;
  readonly findings: Findings;
  readonly running: RunningWorkflows;
  readonly workflows: Pick<OccasionWorkflows, 'end'>;
  readonly page?: number;
}

/** A day, less what the schedule's minutes may take away. */
const EVERY_MS = 23.5 * 3_600_000;
const PAGE = 10_000;
/** Few enough not to affect Temporal's other work. */
const CALLS_AT_ONCE = 4;
/** If hardly any of this many was really lost, visibility cannot be trusted. */
const MAX_ASKED_IN_VAIN = 5_000;

type Found = Pick<Finding, 'kind'>[];

/**
 * Compares all running workflows with all occasions by their ids, in both directions, once a day.
 */
export function createComparison(deps: ComparisonDeps) {
  const { orm, findings, running, workflows, page = PAGE } = deps;
  const query = queryOf(orm);
  const limit = pLimit(CALLS_AT_ONCE);

  /** The suspects whose workflow does not run. */
  async function findGone(suspects: readonly Finding[]): Promise<Finding[]> {
    const looks = await limit.map(suspects, ({ subject }) => running.describe(subject));
    return suspects.filter((_, at) => looks[at]?.isRunning === false);
  }

  /** Asks workflows to end that have no occasion, or whose occasion has ended. */
  async function lookForStrays(ids: readonly string[]): Promise<Found> {
    const occasions = ids.flatMap((id) => occasionOfWorkflowId(id) ?? []);
    const strays = await query<Finding>(FIND_STRAYS, { occasions: JSON.stringify(occasions) });
    await limit.map(strays, workflows.end);
    return findings.keep(strays);
  }

  /** Restarts workflows that neither visibility lists nor Temporal knows. */
  async function lookForLost(seen: ReadonlySet<number>, onPage: () => void): Promise<Found> {
    const found: Found = [];
    let asked = 0;
    let lost = 0;
    let after: OccasionRef | undefined = { type: '', id: '00000000-0000-0000-0000-000000000000' };
    while (after !== undefined) {
      const { type, id }: OccasionRef = after;
      const notified: Finding[] = await query(PAGE_OF_NOTIFIED, { type, id, page });
      const unseen = notified.filter(({ subject }) => !seen.has(hashOf(subject)));
      const gone = await findGone(unseen);
      found.push(...(await findings.keep(gone)));
      await query(NOTIFY_AGAIN, { occasions: JSON.stringify(gone) });
      asked += unseen.length;
      lost += gone.length;
      if (asked > MAX_ASKED_IN_VAIN && lost * 10 < asked) {
        throw new Error(`Visibility does not list running workflows: ${asked - lost} of ${asked}.`);
      }
      after = notified.length < page ? undefined : notified.at(-1);
      onPage();
    }
    return found;
  }

  /** Drops findings of earlier comparisons that are resolved, and asks strays again to end. */
  async function checkKnown(): Promise<Found> {
    const notified = await query<{ kind: 'lost' }>(DROP_NOTIFIED);
    const strays = await findings.list(['stray']);
    await limit.map(strays, workflows.end);
    return [...notified, ...(await findings.drop(await findGone(strays)))];
  }

  return async function compare(onPage: () => void): Promise<Comparison> {
    const repaired = countByKind(await checkKnown());
    const { comparedAgeMs } = await findState(orm);
    if (comparedAgeMs !== null && comparedAgeMs < EVERY_MS) {
      return { detected: {}, repaired, compared: null };
    }
    const seen = new Set<number>();
    const detected: Found = [];
    for await (const ids of running.listIds()) {
      for (const id of ids) seen.add(hashOf(id));
      detected.push(...(await lookForStrays(ids)));
      onPage();
    }
    detected.push(...(await lookForLost(seen, onPage)));
    await noteLook(orm, 'compared_at');
    return { detected: countByKind(detected), repaired, compared: seen.size };
  };
}

/** 48 bits, so that a million ids take 60 MB; the probability of any collision is 1 in 500. */
function hashOf(id: string): number {
  return hash('sha256', id, 'buffer').readUIntBE(0, 6);
}

/** Occasions whose workflows should be running, in order, each as the finding for a missing one. */
const PAGE_OF_NOTIFIED = `
  select 'lost' as kind, type || '/' || id as subject, type, id, user_id as "userId",
    ${ms('wake_due_at', 'dueAt')}, 'its workflow does not run' as note
  from events.occasions
  where (type, id) > (:type, :id::uuid) and ended_at is null and notified_wake_at is not null
  order by type, id limit :page::int`;

const NOTIFY_AGAIN = notifyAgain('true');

/**
 * Without the user id: nothing of a deleted user may be kept. A workflow is asked to end when its
 * occasion ends, and has an hour to do so.
 */
const FIND_STRAYS = `
  select 'stray' as kind, given.type || '/' || given.id as subject, given.type, given.id,
    null as "userId", null as "dueAt",
    'it runs, but its occasion no longer exists' as note
  from jsonb_to_recordset(:occasions::jsonb) as given (type text, id uuid)
  left join events.occasions as o on o.type = given.type and o.id = given.id
  where case when o.type is null
    then not exists (select from users.occasion_inputs as i
      where i.occasion_type = given.type and i.occasion_id = given.id offset 0)
    else o.end_notified_at < (select events.clock() - interval '1 hour') end`;

const DROP_NOTIFIED = `
  delete from events.findings as f
  where f.kind = 'lost' and not exists (
    select from events.occasions as o
    where o.type = f.occasion_type and o.id = f.occasion_id
      and o.ended_at is null and o.notified_wake_at is null)
  returning f.kind`;
