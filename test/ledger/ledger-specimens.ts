/** A row of the ledger in every state that it can be in, each with all its columns filled. */
import type { EventRows } from '../support/event-rows.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

const ago = (ms: number): Date => new Date(Date.now() - ms);
const within = (ms: number): Date => new Date(Date.now() + ms);

/** For every row; columns that a state must not have are reset below. */
const everywhere = (): Columns => ({
  due_at: ago(60 * MINUTE),
  local_date: '2026-05-20',
  lease_token: 7,
  attempts: 3,
  earlier_attempts: 1,
  first_attempt_at: ago(50 * MINUTE),
  retry_not_before: ago(40 * MINUTE),
  superseded_at: within(10 * DAY),
  priority: 1,
  followed: true,
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  traced_at: ago(30 * MINUTE),
});

const untried = { attempts: 0, earlier_attempts: 0, first_attempt_at: null, priority: 0 };
const again = { redeliveries: 2, redelivered_at: ago(20 * MINUTE), forced_at: ago(20 * MINUTE) };
const delivered = { delivered_at: ago(45 * MINUTE), lateness_ms: 7 };
const leased = { next_attempt_at: ago(MINUTE), lease_until: within(MINUTE) };
/** Not the type's current destination, which a redelivery goes to. */
const elsewhere = { destination: 'elsewhere' };
const expired = { next_attempt_at: ago(2 * MINUTE), lease_until: ago(MINUTE) };

type Columns = Readonly<Record<string, unknown>>;

const SPECIMENS = {
  'to come': { state: 'PENDING', ...untried, due_at: within(DAY), retry_not_before: null },
  due: { state: 'PENDING', ...untried },
  retrying: { state: 'PENDING', next_attempt_at: ago(MINUTE) },
  'to be retried': { state: 'PENDING', next_attempt_at: within(MINUTE) },
  blocked: { state: 'PENDING', ...untried, due_at: null, local_date: null },
  released: { state: 'PENDING', ...untried, next_attempt_at: null },
  'sent again, waiting': {
    state: 'PENDING',
    ...again,
    next_attempt_at: ago(MINUTE),
    followed: false,
  },
  leased: { state: 'PROCESSING', ...untried, ...leased },
  'leased, a retry': { state: 'PROCESSING', ...leased },
  'lease expired': { state: 'PROCESSING', ...expired },
  'sent again by force, leased': {
    state: 'PROCESSING',
    ...again,
    ...delivered,
    ...leased,
    followed: false,
  },
  'delivered and followed': { state: 'COMPLETED', ...delivered, ...elsewhere },
  delivered: { state: 'COMPLETED', ...delivered, ...elsewhere, followed: false },
  refused: { state: 'FAILED', ...elsewhere, followed: false },
  'date changed': { state: 'FAILED', ...elsewhere, reason: 'date_changed' },
  skipped: { state: 'SKIPPED', ...untried, ...elsewhere, followed: false },
} satisfies Record<string, Columns>;

export type SpecimenName = keyof typeof SPECIMENS;

export const SPECIMEN_NAMES = Object.keys(SPECIMENS) as readonly SpecimenName[];

export interface Specimen {
  readonly name: SpecimenName;
  readonly key: string;
  readonly userId: string;
  readonly state: string;
  readonly dueAt: number;
}

/** Plants one row of each kind, each for a user of its own. */
export async function plantSpecimens(
  rows: Pick<EventRows, 'sql' | 'addUser'>,
  names: readonly SpecimenName[] = SPECIMEN_NAMES,
): Promise<Specimen[]> {
  const planted: Specimen[] = [];
  for (const name of names) {
    const userId = await rows.addUser();
    const columns: Columns = { ...everywhere(), ...SPECIMENS[name] };
    const key = await plantOccurrence(rows.sql, { user_id: userId, ...columns });
    const dueAt = columns['due_at'] instanceof Date ? columns['due_at'].getTime() : 0;
    planted.push({ name, key, userId, state: String(columns['state']), dueAt });
  }
  return planted;
}

/** The rows of the ledger as they are shown, column by column as text, by key. */
export async function readRows(
  rows: Pick<EventRows, 'sql'>,
): Promise<ReadonlyMap<string, Readonly<Record<string, unknown>>>> {
  const found = await rows.sql<{ key: string; row: Record<string, unknown> }>(
    `select key, to_jsonb(o) || case when lease_until is null then '{}'
       else '{"state": "PROCESSING"}'::jsonb end as row
     from events.occurrences as o`,
  );
  return new Map(found.map(({ key, row }) => [key, row]));
}
