/** Plans made under some rules, and made again under others, on a database of the file's own. */
import { rmSync } from 'node:fs';

import { afterAll, beforeAll, beforeEach } from 'vitest';

import type { DateRules } from '../../src/domain/rules.ts';
import { createPlanner, type Planner } from '../../src/events/planner.ts';
import { replanOutdated, type ReplanSummary } from '../../src/events/replan-outdated.ts';
import type { Scheduler } from '../../src/events/scheduling.ts';
import { createOutdatedPlans } from '../../src/persistence/outdated-plans.ts';
import { createPlanningStore } from '../../src/persistence/planning-store.ts';
import { loadZoneLaw } from '../../src/zones/load-zone-law.ts';
import { createEventRows, type EventRows } from './event-rows.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';
import { writeOlderZoneData } from './zone-files.ts';
import { bundledLaw } from './zone-laws.ts';

export const NOW = Date.UTC(2026, 10, 23);
const HOUR = 3_600_000;

const olderFile = writeOlderZoneData();
const olderLaw = loadZoneLaw(olderFile);
export const OLDER: DateRules = { leapDayPolicy: 'feb28', localTime: '09:00', law: olderLaw };
export const NEWER: DateRules = { ...OLDER, law: bundledLaw };

/** A plan as the ledger has it; the instant in ISO 8601. */
export interface LedgerPlan {
  readonly state: string;
  readonly fireAt: string | null;
  readonly tzVersion: string;
  readonly blockedReason: string | null;
}

interface ComeUpOptions {
  readonly scheduler?: Partial<Scheduler>;
  readonly now?: number;
  readonly stopping?: AbortSignal;
}

/** Registers the hooks of the file that calls it. */
export function useReplanFixture() {
  let database: TestDatabase;
  let rows: EventRows;
  beforeAll(async () => {
    database = await createTestDatabase();
    rows = createEventRows(database.orm);
  });
  afterAll(async () => {
    await database.drop();
    rmSync(olderFile);
  });
  beforeEach(() => rows.sql('truncate events.occurrences, users.users cascade'));

  function plannerUnder(rules: DateRules): Planner {
    const settings = { rules, lateLimitMs: 48 * HOUR, armLeadMs: 15_000, armWindowMs: 45_000 };
    return createPlanner({ store: createPlanningStore(database.orm), settings });
  }

  /** A user whose next occurrence is planned under the rules. */
  async function planned(
    timezone: string,
    dateOfBirth: string,
    rules = OLDER,
    now = NOW,
  ): Promise<string> {
    const userId = await rows.addUser({ timezone, dateOfBirth, createdAt: now });
    await plannerUnder(rules).plan({ eventType: 'birthday', userId, now });
    return userId;
  }

  /** Every workflow plans under these rules as soon as it is told to. */
  function follow(rules: DateRules, told: string[], now = NOW): Scheduler {
    return {
      userChanged: refuse,
      userDeleted: refuse,
      async replan(eventType, userId) {
        told.push(userId);
        await plannerUnder(rules).plan({ eventType, userId, now });
      },
    };
  }

  /** As when a worker comes up under these rules. Gives who was told to plan again, in order. */
  async function comeUp(
    rules: DateRules,
    { scheduler, now = NOW, stopping = new AbortController().signal }: ComeUpOptions = {},
  ): Promise<ReplanSummary & { told: string[] }> {
    const told: string[] = [];
    const summary = await replanOutdated(
      {
        plans: createOutdatedPlans(database.orm),
        scheduler: { ...follow(rules, told, now), ...scheduler },
        rules,
        clock: () => now,
      },
      stopping,
    );
    return { ...summary, told };
  }

  async function planOf(userId: string): Promise<LedgerPlan | undefined> {
    const [plan] = await rows.sql<LedgerPlan>(
      `select state, to_char(fire_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"') as "fireAt",
         tz_version as "tzVersion", blocked_reason as "blockedReason"
       from events.occurrences where user_id = ? and state in ('PENDING', 'PROCESSING')`,
      [userId],
    );
    return plan;
  }

  return {
    get rows() {
      return rows;
    },
    planned,
    follow,
    comeUp,
    planOf,
  };
}

function refuse(): Promise<void> {
  return Promise.reject(new Error('nobody has changed'));
}
