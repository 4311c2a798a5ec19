/** Users whose ledger was written by what writes it in earnest: planning, arming, claiming, recording, reporting. */
import { createPlanner } from '../../src/events/planner.ts';
import { createDeliveryLedger } from '../../src/persistence/delivery-ledger.ts';
import type { Orm } from '../../src/persistence/orm.ts';
import { createPlanningStore } from '../../src/persistence/planning-store.ts';
import { createReportQueue } from '../../src/persistence/report-queue.ts';
import { createUserStore } from '../../src/persistence/user-store.ts';
import { createUser } from '../../src/users/create-user.ts';
import { restAfter } from '../../src/workflows/rest.ts';
import { attemptOf } from './ledger-fixture.ts';
import { bundledLaw } from './zone-laws.ts';

const HOUR = 3_600_000;
const SETTINGS = {
  rules: { leapDayPolicy: 'feb28', localTime: '09:00', law: bundledLaw },
  lateLimitMs: 48 * HOUR,
  armLeadMs: 6 * HOUR,
  armWindowMs: 0,
} as const;

export interface LifeOptions {
  readonly dateOfBirth: string;
  readonly timezone: string;
  /** Epoch ms, of creation. */
  readonly from: number;
  /** Epoch ms, now: what comes later has not happened. */
  readonly until: number;
}

/**
 * Lives at their own time, one after another, as their workflows and a dispatcher would have
 * them. Due by both clocks is only what is due now, so nothing else may be armed meanwhile.
 */
export function createLives(orm: Orm) {
  const planner = createPlanner({ store: createPlanningStore(orm), settings: SETTINGS });
  const ledger = createDeliveryLedger(orm, { lateAfterMs: HOUR / 12 });
  const reports = createReportQueue(orm);

  async function send(at: number): Promise<void> {
    const claimed = await ledger.claim({ limit: 10, now: Date.now(), holdMs: 25_000 });
    await ledger.record(
      claimed.map((one) => attemptOf(one, { kind: 'delivered', at }, { startedAt: at })),
    );
    await reports.markReported(await reports.take(10, 60_000));
  }

  return {
    /** Gives the id. */
    async live({ dateOfBirth, timezone, from, until }: LifeOptions): Promise<string> {
      const input = { externalId: null, firstName: 'Ada', lastName: '', dateOfBirth, timezone };
      const users = { users: createUserStore(orm), clock: () => from, law: bundledLaw };
      const { id: userId } = await createUser(users, input);
      for (let at = from; ;) {
        const plan = await planner.plan({ eventType: 'birthday', userId, now: at });
        if (plan.kind === 'ended') throw new Error(`the plan of ${userId} has ended`);
        const rest = restAfter(plan, at);
        if (rest.until > until) return userId;
        at = Math.max(rest.until, at);
        if (rest.delivers === null) continue;
        const { occurrenceKey, fireAt } = rest.delivers;
        const taskToken = Buffer.from(occurrenceKey);
        await ledger.arm({ occurrenceKey, fireAt, taskToken, now: at });
        if (fireAt > until) return userId;
        at = fireAt + 500;
        await send(at);
      }
    },

    /** Each user there is so many times more, under ids of their own. */
    async multiply(times: number): Promise<void> {
      const em = orm.em.fork();
      await em.execute(`
        create table clones as
        select id as old, gen_random_uuid() as new from users.users, generate_series(1, ${times})`);
      for (const [table, id] of TABLES) await em.execute(cloneRows(table, id));
      await em.execute('drop table clones');
      // Nobody else will look at so much that is new before the test does.
      await em.execute('analyze users.users, users.history, users.outbox, events.occurrences');
    },
  };
}

/** The tables with rows of a user, and what a row has of its own. */
const TABLES = [
  ['users.users', "'id', c.new"],
  ['users.history', "'user_id', c.new, 'id', nextval('users.history_id_seq')"],
  ['users.outbox', "'user_id', c.new, 'id', nextval('users.outbox_id_seq')"],
  ['events.occurrences', "'user_id', c.new, 'key', replace(key, c.old::text, c.new::text)"],
] as const;

function cloneRows(table: string, own: string): string {
  const user = table === 'users.users' ? 'id' : 'user_id';
  return `
    insert into ${table} overriding system value
    select one.*
    from ${table} as t join clones as c on c.old = t.${user},
      lateral jsonb_populate_record(t, jsonb_build_object(${own})) as one`;
}
