import pLimit from 'p-limit';

import { queryOf } from '../ledger/sql.ts';
import { occasionOfWorkflowId, workflowId } from '../ledger/occurrence-key.ts';
import type { OccasionRef } from '../ledger/types.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { OccasionWorkflows } from '../workflows/occasion-client.ts';
import type { Comparison, FindingCounts } from '../workflows/maintenance-contract.ts';
import { addCounts, type Finding, type Findings } from './findings.ts';
import { createIdSet } from './id-set.ts';
import type { RunningWorkflows } from './running-workflows.ts';
import { findState, noteLook } from './state.ts';
import * as sql from './wakes-sql.ts';

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
/** The rest of the engine's work must not feel it. */
const CALLS_AT_ONCE = 4;
/** Asked for at least so many, of which hardly one was lost, visibility is not to be trusted. */
const MOST_IN_VAIN = 5_000;
/** The notifier has got round to it by then. */
const PATIENCE_MS = 3_600_000;
const TRIES = 3;

/** All workflows that run against all occasions, by their ids, both ways. */
export function createComparison({
  orm,
  findings,
  running,
  workflows,
  page = PAGE,
}: ComparisonDeps) {
  const query = queryOf(orm);
  const limit = pLimit(CALLS_AT_ONCE);

  /** Asks those to end that have no occasion, or whose occasion has ended. */
  async function lookForStrays(ids: readonly string[]): Promise<FindingCounts> {
    const occasions = ids.flatMap((id) => occasionOfWorkflowId(id) ?? []);
    if (occasions.length === 0) return {};
    const strays = await query<OccasionRef & { isKnown: boolean }>(sql.FIND_STRAYS, {
      occasions: JSON.stringify(occasions),
    });
    const known = strays.filter(({ isKnown }) => isKnown);
    if (known.length > 0) await query(sql.ASK_TO_END_AGAIN, { occasions: JSON.stringify(known) });
    const unknown = strays.filter(({ isKnown }) => !isKnown);
    await Promise.all(unknown.map((stray) => limit(() => workflows.end(stray))));
    return findings.keep(strays.map(strayOf));
  }

  /** Has those started again of which visibility knows none, and Temporal itself neither. */
  async function lookForLost(
    seen: ReturnType<typeof createIdSet>,
    onPage: () => void,
  ): Promise<FindingCounts> {
    let detected: FindingCounts = {};
    let asked = 0;
    let lost = 0;
    for (let after: OccasionRef | undefined = FIRST; after !== undefined;) {
      const { type, id }: OccasionRef = after;
      const occasions: NotifiedOccasion[] = await query(sql.PAGE_OF_NOTIFIED, { type, id, page });
      const unseen = occasions.filter((occasion) => !seen.has(workflowId(occasion)));
      const looks = await Promise.all(
        unseen.map((occasion) => limit(() => running.describe(workflowId(occasion)))),
      );
      const gone = unseen.filter((_, at) => looks[at]?.isRunning === false);
      if (gone.length > 0) {
        detected = addCounts(detected, await findings.keep(gone.map(lostOf)));
        await query(sql.NOTIFY_AGAIN, { occasions: JSON.stringify(gone) });
      }
      asked += unseen.length;
      lost += gone.length;
      if (asked > MOST_IN_VAIN && lost * 10 < asked) {
        throw new Error(
          `Visibility does not list workflows that run: ${asked - lost} of ${asked}.`,
        );
      }
      after = occasions.length < page ? undefined : occasions.at(-1);
      onPage();
    }
    return detected;
  }

  /** Looks at what earlier comparisons have found; strays are asked once more. */
  async function settleKnown(): Promise<FindingCounts> {
    const lost = await findings.list(['lost']);
    const waiting = await stillToNotify(lost);
    const notified = lost.filter(({ subject }) => !waiting.has(subject));
    const strays = await findings.list(['stray']);
    const looks = await Promise.all(
      strays.map(({ subject }) => limit(() => running.describe(subject))),
    );
    const left = strays.filter((_, at) => looks[at]?.isRunning === true);
    const ended = strays.filter((_, at) => looks[at]?.isRunning !== true);
    await Promise.all(left.flatMap(occasionOf).map((stray) => limit(() => workflows.end(stray))));
    await findings.markTried(left);
    return findings.drop([...notified, ...ended]);
  }

  async function stillToNotify(lost: readonly Finding[]): Promise<Set<string>> {
    if (lost.length === 0) return new Set();
    const rows = await query<{ subject: string }>(sql.STILL_TO_NOTIFY, {
      occasions: JSON.stringify(lost.flatMap(occasionOf)),
    });
    return new Set(rows.map(({ subject }) => subject));
  }

  return {
    async compare(onPage: () => void): Promise<Comparison> {
      const repaired = await settleKnown();
      const { comparedAgeMs } = await findState(orm);
      if (comparedAgeMs !== null && comparedAgeMs < EVERY_MS) {
        return { detected: {}, repaired, compared: null };
      }
      const seen = createIdSet();
      let strays: FindingCounts = {};
      for await (const ids of running.listIds()) {
        for (const id of ids) seen.add(id);
        strays = addCounts(strays, await lookForStrays(ids));
        onPage();
      }
      const lost = await lookForLost(seen, onPage);
      await noteLook(orm, 'comparison');
      return { detected: addCounts(strays, lost), repaired, compared: seen.size };
    },

    /** Lost ones that the notifier has not started for an hour, and strays that do not end. */
    async findHopeless(): Promise<Finding[]> {
      const known = await findings.list(['lost', 'stray']);
      return known.filter(({ kind, tries, foundAgoMs }) =>
        kind === 'lost' ? foundAgoMs > PATIENCE_MS : tries >= TRIES,
      );
    },
  };
}

const FIRST: OccasionRef = { type: '', id: '00000000-0000-0000-0000-000000000000' };

interface NotifiedOccasion extends OccasionRef {
  readonly userId: string;
  readonly dueAt: number | null;
}

function lostOf({ type, id, userId, dueAt }: NotifiedOccasion): Finding {
  const subject = workflowId({ type, id });
  return { kind: 'lost', subject, type, id, userId, dueAt, note: 'its workflow does not run' };
}

/** Without the occasion's user, of whom nothing is to be kept. */
function strayOf({ type, id }: OccasionRef): Finding {
  const subject = workflowId({ type, id });
  const note = 'it runs, and there is no such occasion any more';
  return { kind: 'stray', subject, type, id, userId: null, dueAt: null, note };
}

function occasionOf({ type, id }: Finding): OccasionRef[] {
  return type === null || id === null ? [] : [{ type, id }];
}
