import { randomUUID } from 'node:crypto';

import { instant, interval, queryOf } from '../../ledger/sql.ts';
import { DEFAULT_DESTINATION } from '../../platform/destination.ts';
import type { Orm } from '../../platform/database/orm.ts';

/** Epoch ms by the database's clock; null for what has not happened since the last stamp. */
interface Seen {
  /** A claim returned fewer rows than it was allowed to take. */
  readonly shortAt: number | null;
  /** It had no free slot, or a claim came back full. */
  readonly busyAt: number | null;
}

export type Presence = ReturnType<typeof createPresence>;

const STAMP_EVERY_MS = 1_000;
const FORGOTTEN_AFTER_MS = 24 * 3_600_000;

/** Records that a dispatcher is at work, for workflows and the scheduler. */
export function createPresence(orm: Orm, destination = DEFAULT_DESTINATION) {
  const query = queryOf(orm);
  const id = randomUUID();
  let seen: Seen = { shortAt: null, busyAt: null };
  let stampedAt = -Infinity;

  return {
    /** Writes about once a second, however often it is called. */
    async stamp({ shortAt, busyAt }: Seen): Promise<void> {
      seen = { shortAt: shortAt ?? seen.shortAt, busyAt: busyAt ?? seen.busyAt };
      const now = performance.now();
      if (now - stampedAt < STAMP_EVERY_MS) return;
      if (stampedAt === -Infinity) await query(FORGET_DEAD, { ms: FORGOTTEN_AFTER_MS });
      await query(STAMP, { id, destination, ...seen });
      stampedAt = now;
    },

    /** Removes its stamp: it claims no more. */
    async leave(): Promise<void> {
      await query(LEAVE, { id });
    },
  };
}

const STAMP = `
  insert into events.dispatchers as d (id, destination, stamped_at, short_at, busy_at)
  values (:id::uuid, :destination, events.clock(), ${instant(':shortAt')}, ${instant(':busyAt')})
  on conflict (id) do update
  set stamped_at = excluded.stamped_at,
    short_at = coalesce(excluded.short_at, d.short_at),
    busy_at = coalesce(excluded.busy_at, d.busy_at)`;

const LEAVE = 'delete from events.dispatchers where id = :id::uuid';

const FORGET_DEAD = `
  delete from events.dispatchers where stamped_at < events.clock() - ${interval(':ms')}`;
