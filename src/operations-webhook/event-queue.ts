/** Operational events waiting to be sent, each until it was accepted or given up. */
import { interval, ms, type Query } from '../ledger/sql.ts';
import type { OperationsEvent } from './events.ts';

export interface WaitingEvent {
  /** The same on every attempt. */
  readonly id: string;
  readonly body: OperationsEvent;
  /** This one included. */
  readonly attempts: number;
  /** Epoch ms, by the database's clock, like `now`. */
  readonly createdAt: number;
  readonly now: number;
}

/** Call it in the transaction that marks their contents as reported. */
export async function addEvents(query: Query, events: readonly OperationsEvent[]): Promise<void> {
  if (events.length > 0) await query(ADD, { events: JSON.stringify(events) });
}

export type EventQueue = ReturnType<typeof createEventQueue>;

export function createEventQueue(query: Query) {
  return {
    /** Leases one event that may be sent, for this long; null if there is none. */
    async claim(leaseMs: number): Promise<WaitingEvent | null> {
      const [claimed] = await query<WaitingEvent>(CLAIM, { leaseMs });
      return claimed ?? null;
    },

    /**
     * Removes an event that was accepted or given up. If another process has claimed it since, it
     * stays.
     */
    async remove({ id, attempts }: WaitingEvent): Promise<void> {
      await query(REMOVE, { id, attempts });
    },

    async retry({ id, attempts }: WaitingEvent, afterMs: number): Promise<void> {
      await query(RETRY, { id, attempts, afterMs });
    },
  };
}

const ADD = `
  insert into events.operations_events (body)
  select value from jsonb_array_elements(:events::jsonb)`;

const CLAIM = `
  update events.operations_events
  set attempts = attempts + 1, available_at = events.clock() + ${interval(':leaseMs')}
  where id = (
    select id from events.operations_events where available_at <= events.clock()
    order by available_at, created_at limit 1
    for update skip locked)
  returning id, body, attempts, ${ms('created_at', 'createdAt')}, ${ms('events.clock()', 'now')}`;

const REMOVE = `
  delete from events.operations_events where id = :id::uuid and attempts = :attempts::int`;

const RETRY = `
  update events.operations_events set available_at = events.clock() + ${interval(':afterMs')}
  where id = :id::uuid and attempts = :attempts::int`;
