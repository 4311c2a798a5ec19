/** The settings of an occasion type: its message, its times, and its destination. */
import { type Em, firstRow, ms, type Query, queryIn, queryOf } from '../ledger/sql.ts';
import { lockRules } from '../planning/rules.ts';
import { retryConflicts } from '../platform/database/conflicts.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { LeapDayPolicy } from '../time/recurrence.ts';
import { BUILT_IN_TYPES } from './built-in.ts';

/** Each can be null: the built-in value, or the installation's. */
export interface OccasionTypeSettings {
  /** A message template. */
  readonly message: string | null;
  /** `HH:MM`. */
  readonly deliveryTime: string | null;
  readonly leapDayPolicy: LeapDayPolicy | null;
  /** How late a first attempt may be. */
  readonly lateLimitMs: number | null;
  /** `skip`: a late occurrence is not sent at all. */
  readonly whenLate: 'send' | 'skip' | null;
  readonly destination: string | null;
}

export interface OccasionType extends OccasionTypeSettings {
  readonly type: string;
  /** 0 until something is set, and one more with each change. */
  readonly revision: number;
  /** Epoch ms; null until something is set. */
  readonly updatedAt: number | null;
}

/** Thrown when the settings have changed since the revision that a change expects. */
export class RevisionMismatchError extends Error {
  override readonly name = 'RevisionMismatchError';
  readonly code = 'revision-mismatch';

  constructor() {
    super('The occasion type has changed since it was read.');
  }
}

/** Thrown when the maximum number of types has settings. */
export class TooManyOccasionTypesError extends Error {
  override readonly name = 'TooManyOccasionTypesError';
  readonly code = 'too-many-occasion-types';

  constructor() {
    super(`${MOST_TYPES} occasion types have settings, which is the most.`);
  }
}

/** The audit, the forecast and the API's list read the settings of all types at once. */
const MOST_TYPES = 500;

export type OccasionTypes = ReturnType<typeof createOccasionTypes>;

export function createOccasionTypes(orm: Orm) {
  const query = queryOf(orm);

  return {
    /** Works for any name, even of a type without settings. */
    get: (type: string): Promise<OccasionType> => find(query, type),

    /** The built-in types, those with settings, and those that occasions have, by name. */
    async list(): Promise<OccasionType[]> {
      const [set, used] = await Promise.all([
        query<OccasionType>(FIND),
        query<{ type: string }>(FIND_USED),
      ]);
      const settings = new Map(set.map((one) => [one.type, one]));
      const types = new Set([
        ...settings.keys(),
        ...BUILT_IN_TYPES,
        ...used.map(({ type }) => type),
      ]);
      return [...types].toSorted().map((type) => settings.get(type) ?? unset(type));
    },

    /**
     * Replaces the settings of a type. Those that decide dates go to a history, from which open
     * plans are made again; the others are read when needed.
     *
     * @throws RevisionMismatchError
     * @throws TooManyOccasionTypesError
     */
    put: (
      type: string,
      settings: OccasionTypeSettings,
      isAccepted: (revision: number) => boolean = () => true,
    ): Promise<OccasionType> =>
      retryConflicts(() =>
        orm.em.fork().transactional((em) => replace(em, type, settings, isAccepted)),
      ),

    /** Destinations that a dispatcher has sent to within the last minute. */
    async servedDestinations(): Promise<string[]> {
      const rows = await query<{ destination: string }>(FIND_SERVED);
      return rows.map(({ destination }) => destination);
    },
  };
}

async function replace(
  em: Em,
  type: string,
  settings: OccasionTypeSettings,
  isAccepted: (revision: number) => boolean,
): Promise<OccasionType> {
  const inTransaction = queryIn(em);
  await inTransaction(LOCK, { type });
  const before = await find(inTransaction, type);
  if (!isAccepted(before.revision)) throw new RevisionMismatchError();
  if (FIELDS.every((field) => before[field] === settings[field])) return before;
  if (before.revision === 0) {
    const { count } = firstRow(await inTransaction<{ count: number }>(COUNT));
    if (count >= MOST_TYPES) throw new TooManyOccasionTypesError();
  }
  const { deliveryTime, leapDayPolicy, destination } = settings;
  if (destination !== null) await inTransaction(REGISTER_DESTINATION, { destination });
  const after = firstRow(await inTransaction<OccasionType>(WRITE, { type, ...settings }));
  if (DATE_FIELDS.some((field) => before[field] !== settings[field])) {
    await lockRules(em);
    await inTransaction(RECORD_RULES, { type, deliveryTime, leapDayPolicy });
  }
  return after;
}

async function find(query: Query, type: string): Promise<OccasionType> {
  const [row] = await query<OccasionType>(`${FIND} where type = :type`, { type });
  return row ?? unset(type);
}

function unset(type: string): OccasionType {
  return { type, ...NOTHING_SET, revision: 0, updatedAt: null };
}

const NOTHING_SET: OccasionTypeSettings = {
  message: null,
  deliveryTime: null,
  leapDayPolicy: null,
  lateLimitMs: null,
  whenLate: null,
  destination: null,
};
const FIELDS = Object.keys(NOTHING_SET) as (keyof OccasionTypeSettings)[];
const DATE_FIELDS: readonly (keyof OccasionTypeSettings)[] = ['deliveryTime', 'leapDayPolicy'];

const COLUMNS = `
  type, message, delivery_time as "deliveryTime", leap_day_policy as "leapDayPolicy",
  late_limit_ms::float8 as "lateLimitMs", when_late as "whenLate", destination, revision,
  ${ms('updated_at', 'updatedAt')}`;

const FIND = `select ${COLUMNS} from events.occasion_types`;

/**
 * Types of occasions that were ever planned, found one after the other by the index. No reader
 * needs more than this many.
 */
const FIND_USED = `
  with recursive used as (
    (select type from events.occasions order by type limit 1)
    union all
    select (select o.type from events.occasions as o where o.type > used.type order by o.type limit 1)
    from used where used.type is not null
  )
  select type from used where type is not null limit 1000`;

/** Held until the transaction ends, even while the type has no row. */
const LOCK = `select pg_advisory_xact_lock(hashtext('occasion type'), hashtext(:type))`;

const COUNT = 'select count(*)::int as count from events.occasion_types';

const REGISTER_DESTINATION = `
  insert into events.destinations (id) values (:destination) on conflict do nothing`;

const WRITE = `
  insert into events.occasion_types as t (type, message, delivery_time, leap_day_policy,
    late_limit_ms, when_late, destination)
  values (:type, :message::text, :deliveryTime::text, :leapDayPolicy::text, :lateLimitMs::bigint,
    :whenLate::text, :destination::text)
  on conflict (type) do update
  set message = excluded.message, delivery_time = excluded.delivery_time,
    leap_day_policy = excluded.leap_day_policy, late_limit_ms = excluded.late_limit_ms,
    when_late = excluded.when_late, destination = excluded.destination,
    revision = t.revision + 1, updated_at = events.clock()
  returning ${COLUMNS}`;

const RECORD_RULES = `
  insert into events.occasion_type_rules (type, delivery_time, leap_day_policy)
  values (:type, :deliveryTime::text, :leapDayPolicy::text)`;

const FIND_SERVED = `
  select distinct destination from events.dispatchers
  where stamped_at > events.clock() - interval '1 minute'
  order by destination`;
