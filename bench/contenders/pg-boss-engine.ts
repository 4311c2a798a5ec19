/** pg-boss with a job for each user, to be started at the instant. */
import pg from 'pg';
import { PgBoss, type WorkOptions } from 'pg-boss';

import type { Engine } from '../support/engine.ts';
import { benchUsers, createGreeter, type BenchUser } from '../support/greeter.ts';

const QUEUE = 'birthdays';
const INSERT = 1_000;
const UNFINISHED = `
  select count(*) from pgboss.job
  where name = '${QUEUE}' and state in ('created', 'retry', 'active')`;

/** @param options of its worker; none for pg-boss's defaults */
export function pgBossEngine(options: WorkOptions): Engine {
  return {
    async start({ users: count, dueAt, databaseUrl, webhookUrl, webhookSecret }, onLoaded) {
      const greeter = createGreeter(webhookUrl, webhookSecret);
      const boss = new PgBoss(databaseUrl);
      boss.on('error', (error) => console.error(error));
      await boss.start();
      await boss.createQueue(QUEUE);
      const jobs = benchUsers(count).map((data) => ({ data, startAfter: new Date(dueAt) }));
      for (let from = 0; from < jobs.length; from += INSERT) {
        await boss.insert(QUEUE, jobs.slice(from, from + INSERT));
        onLoaded(Math.min(from + INSERT, count));
      }
      await boss.work<BenchUser>(QUEUE, options, async (batch) => {
        await Promise.all(batch.map(({ data }) => greeter.greet(data, dueAt)));
      });
      const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
      return {
        async unfinished() {
          const { rows } = await pool.query<{ count: string }>(UNFINISHED);
          return Number(rows[0]?.count);
        },
        async stop() {
          await boss.stop({ graceful: false });
          await pool.end();
          greeter.close();
        },
      };
    },
  };
}
