/** Users, plans, outcomes and audits on a database of the test file's own, at any time. */
import { afterAll, beforeAll, beforeEach } from 'vitest';

import { type AuditDeps, auditDay } from '../../src/events/audit-day.ts';
import type { AuditReport } from '../../src/events/audit-report.ts';
import { createPlanner } from '../../src/events/planner.ts';
import type { DateRules } from '../../src/domain/rules.ts';
import { createAuditReader } from '../../src/persistence/audit.ts';
import { createPlanningStore } from '../../src/persistence/planning-store.ts';
import { createUserStore } from '../../src/persistence/user-store.ts';
import { createUser } from '../../src/users/create-user.ts';
import { deleteUser } from '../../src/users/delete-user.ts';
import { updateUser } from '../../src/users/update-user.ts';
import { plantAttempt } from './plant-occurrence.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';
import { bundledLaw } from './zone-laws.ts';

export const MINUTE = 60_000;
export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
const NINE: DateRules = { leapDayPolicy: 'feb28', localTime: '09:00', law: bundledLaw };
const LIMITS = { lateAfterMs: 5 * MINUTE, lateLimitMs: 48 * HOUR, giveUpAfterMs: 72 * HOUR };

export interface Facts {
  readonly dateOfBirth: string;
  readonly timezone: string;
}

/** The open row of a user. */
export interface OpenPlan {
  readonly key: string;
  readonly year: number;
  readonly fireAt: number | null;
}

/** Registers the hooks of the file that calls it. */
export function useAuditFixture() {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());
  beforeEach(() =>
    sql(`truncate users.users, users.history, users.outbox, users.erasures,
      events.occurrences, events.erased_occurrences, events.erased_days cascade`),
  );

  const sql = <Row extends object>(query: string, params: readonly unknown[] = []) =>
    database.orm.em.fork().execute<Row[]>(query, [...params]);
  const usersAt = (at: number) => ({
    users: createUserStore(database.orm),
    clock: () => at,
    law: bundledLaw,
  });

  async function plan(userId: string, now: number): Promise<void> {
    const settings = { rules: NINE, ...LIMITS, armLeadMs: 15_000, armWindowMs: 45_000 };
    const planner = createPlanner({ store: createPlanningStore(database.orm), settings });
    await planner.plan({ eventType: 'birthday', userId, now });
  }

  return {
    get orm() {
      return database.orm;
    },
    sql,
    plan,

    /** As the API does it, and planned at once. */
    async add(facts: Facts, at: number, isPlanned = true): Promise<string> {
      const input = { externalId: null, firstName: 'Ada', lastName: '', ...facts };
      const { id } = await createUser(usersAt(at), input);
      if (isPlanned) await plan(id, at);
      return id;
    },

    async change(userId: string, facts: Partial<Facts>, at: number, isPlanned = true) {
      await updateUser(usersAt(at), userId, facts);
      if (isPlanned) await plan(userId, at);
    },

    async remove(userId: string, at: number, isPlanned = true): Promise<void> {
      await deleteUser(usersAt(at), userId);
      if (isPlanned) await plan(userId, at);
    },

    async openOf(userId: string): Promise<OpenPlan | null> {
      const [open] = await sql<OpenPlan>(
        `select key, year, (extract(epoch from fire_at) * 1000)::float8 as "fireAt"
         from events.occurrences
         where user_id = ? and state in ('PENDING', 'PROCESSING') order by year limit 1`,
        [userId],
      );
      return open ?? null;
    },

    /** Settled by one attempt, as the ledger records it. */
    async settle(key: string, state: 'COMPLETED' | 'FAILED', at: number): Promise<void> {
      const delivered = state === 'COMPLETED' ? new Date(at) : null;
      const rows = await sql(
        `update events.occurrences
         set state = ?, attempts = attempts + 1, settled_at = ?, delivered_at = ?,
           lateness_ms = case when ? = 'COMPLETED' then extract(epoch from ? - fire_at) * 1000 end
         where key = ? returning attempts`,
        [state, new Date(at), delivered, state, new Date(at), key],
      );
      const [{ attempts = 0 } = {}] = rows as { attempts?: number }[];
      await plantAttempt(sql, key, {
        number: attempts,
        started_at: new Date(at),
        outcome: state === 'COMPLETED' ? 'delivered' : 'give_up',
      });
    },

    audit(date: string, now: number, deps: Partial<AuditDeps> = {}): Promise<AuditReport> {
      return auditDay(
        {
          reader: createAuditReader(database.orm),
          law: bundledLaw,
          dateSettings: { leapDayPolicy: 'feb28', localTime: '09:00' },
          limits: LIMITS,
          clock: () => now,
          ...deps,
        },
        date,
      );
    },
  };
}

/** The counts of an audit that are not 0, in the order of the report. */
export function counted(report: AuditReport): Record<string, number> {
  const { skipped, pending, erased, unaccounted, doubles, forged } = report;
  const { total: _, ...stages } = pending;
  const counts = {
    due: report.due,
    delivered: report.delivered,
    late: report.late,
    failed: report.failed,
    ...skipped.byReason,
    ...stages,
    blocked: report.blocked,
    deleted: report.deleted,
    erased: erased.total,
    changedSince: report.changedSince,
    otherSettings: report.otherSettings,
    unaccounted: unaccounted.count,
    doubles: doubles.count,
    forged: forged.count,
  };
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}
