/** The reconciler of the ledger, with a planner, on a database of the test file's own. */
import { Registry } from 'prom-client';
import { beforeAll, beforeEach } from 'vitest';

import type { Planner } from '../../src/planning/planner.ts';
import type { Round } from '../../src/reconcile/findings.ts';
import { createLedgerReconciler, type LedgerReconciler } from '../../src/reconcile/ledger.ts';
import type { FindingKind } from '../../src/workflows/maintenance-contract.ts';
import {
  birthdayOf,
  DAY,
  HOUR,
  MINUTE,
  SPRING,
  usePlanningFixture,
} from '../support/planning-fixture.ts';
import { deleteAll } from '../support/postgres.ts';

export { DAY, HOUR, MINUTE };
/** All users were created and planned long before. */
export const NOW = SPRING;

export type LoggedLine = Record<string, unknown> & { readonly level: 'info' | 'warn' | 'error' };

/** Registers the hooks of the file that calls it. The clocks stand still where a test puts them. */
export function useReconcileFixture() {
  const planning = usePlanningFixture();
  const lines: LoggedLine[] = [];
  let reconciler: LedgerReconciler;

  function reconcilerWith(planner: Pick<Planner, 'plan'>): LedgerReconciler {
    return createLedgerReconciler({
      orm: planning.database.orm,
      planner,
      logger: loggerTo(lines),
      registry: new Registry(),
      everyMs: 10 * MINUTE,
      secondLookMs: 1,
      // So that a few users fill several pages.
      usersPerPage: 2,
    });
  }

  beforeAll(() => {
    reconciler = reconcilerWith(planning.planner);
  });
  beforeEach(async () => {
    lines.length = 0;
    await planning.rows.sql(deleteAll('events.findings', 'events.dispatchers'));
    await planning.rows.sql(
      `update events.reconciler set ledger_looked_at = null, workflows_looked_at = null,
         compared_at = null, temporal_back_at = null, store_id = null, forget_after = null`,
    );
    await planning.rows.resetDestination();
  });

  return {
    planning,
    lines,
    reconcilerWith,
    get sql() {
      return planning.rows.sql;
    },
    get orm() {
      return planning.database.orm;
    },

    run: (): Promise<Round> => reconciler.run(),

    /** A user who was created a year ago, planned; returns the id. */
    async addPlanned(user: { dateOfBirth?: string; timezone?: string } = {}): Promise<string> {
      const userId = await planning.rows.addUser({ ...user, createdAt: NOW - 300 * DAY });
      await planning.plan(userId);
      await this.age();
      return userId;
    },

    /** Everything was planned long ago. */
    async age(): Promise<void> {
      await planning.rows.sql(
        `update events.occurrences set planned_at = planned_at - interval '1 day'
         where planned_at > events.clock() - interval '1 hour'`,
      );
    },

    /** A user who was created a year ago, and never planned. */
    addUnplanned: (): Promise<string> => planning.rows.addUser({ createdAt: NOW - 300 * DAY }),

    /** A waiting event of the user in the outbox, with the given columns changed. */
    async addEvent(userId: string, ageMs: number, done = false): Promise<string> {
      const [event] = await planning.rows.sql<{ id: string }>(
        `insert into users.outbox (type, user_id, revision, occurred_at, done_at)
         values ('UserUpdated', :userId::uuid, 2, to_timestamp(:at::float8 / 1000),
           case when :done then to_timestamp(:at::float8 / 1000) end)
         returning id`,
        { userId, at: planning.now - ageMs, done },
      );
      return event?.id ?? '';
    },

    stateOf: async (userId: string): Promise<string[]> => {
      const rows = await planning.rows.sql<{ state: string }>(
        'select state from events.occurrences where user_id = :userId order by nominal_date',
        { userId },
      );
      return rows.map(({ state }) => state);
    },

    findings: () =>
      planning.rows.sql<{ kind: FindingKind; subject: string; note: string }>(
        'select kind, subject, note from events.findings order by kind, subject',
      ),

    alarms: (): LoggedLine[] => lines.filter(({ level }) => level === 'error'),
  };
}

export const subjectOf = (userId: string): string => {
  const { type, id } = birthdayOf(userId);
  return `${type}/${id}`;
};

/** The result of a round, in brief. */
export function brief({ detected, repaired, unrepaired }: Round) {
  return { detected, repaired, unrepaired };
}

export const NOTHING = { detected: {}, repaired: {}, unrepaired: {} };

export function loggerTo(lines: LoggedLine[]) {
  const log =
    (level: LoggedLine['level']) =>
    (fields: object, message: string): void =>
      void lines.push({ ...fields, message, level });
  return { info: log('info'), warn: log('warn'), error: log('error') };
}
