/**
 * A year of the ledger in minutes: each day, due rows are claimed, recorded and planned for the
 * next year, workflows check, users change, and expired rows are removed; by the product's own
 * statements and loops, in this process, with clocks of the database and of the planner that are
 * set a day ahead each time. Nothing is posted, and Temporal takes no part.
 */
import pLimit from 'p-limit';

import { createHousekeepingActivities } from '../../src/activities/housekeeping.ts';
import { createAuditStore } from '../../src/audit/stored-audits.ts';
import { answerCalls } from '../../src/delivery/deliver/occasion-answer.ts';
import { createLedger, type Ledger } from '../../src/ledger/ledger.ts';
import { TO_PLAN } from '../../src/ledger/plan-rows.ts';
import { queryOf } from '../../src/ledger/sql.ts';
import type { ClaimedOccurrence } from '../../src/ledger/types.ts';
import { connectOrm, type Orm } from '../../src/platform/database/orm.ts';
import { loadSettings } from '../../src/platform/settings/settings.ts';
import { createFollowUp } from '../../src/planning/follow-up.ts';
import { createOutboxConsumer } from '../../src/planning/outbox-consumer.ts';
import { createRetention } from '../../src/retention/retention.ts';
import { createOutbox } from '../../src/users/outbox.ts';
import { createUsers } from '../../src/users/users.ts';
import { ratioRow, table } from '../report/table.ts';
import { type Autovacuum, replaceAutovacuum, type Vacuums } from '../support/autovacuum.ts';
import { CLAIM, delivered, type Planted, plantPlans } from '../support/claims.ts';
import { createBenchPlanner, DATE_LIMITS } from '../support/planned-users.ts';
import { distributionOf } from '../support/statistics.ts';
import { bytesOf, sizesTable, tableSizes, type TableSize } from '../support/table-sizes.ts';
import { until } from '../support/until.ts';
import type { MillionBench } from './million-bench.ts';

const DAY_MS = 86_400_000;
const LEASE_MS = 60_000;
/** What fell due since yesterday counts as punctual: real dispatchers claim more than once a day. */
const LATE_AFTER_MS = DAY_MS + 3_600_000;
/** The small ledger's year, so that a claim's worth is due on each of its days. */
const FEW_DAYS = 20;
/** Shares of all users in a year. */
const CHANGES = { zone: 0.03, name: 0.03, created: 0.03, deleted: 0.02 } as const;
const CHANGES_AT_ONCE = 8;
const LOOKS_AT_ONCE = 100;
const LOOK_EVERY_MS = 20;
/** The number of parts of the year, each with its sizes and its claims. */
const PARTS = 12;

export interface YearPart {
  readonly day: number;
  /** Median of claims in this part, in ms, for few and for many; null if the days have too few. */
  readonly few: number | null;
  readonly many: number | null;
  readonly ratio: number | null;
  readonly deadRows: number;
  readonly bytes: number;
  readonly occurrencesBytes: number;
  readonly occurrencesIndexBytes: number;
  readonly claimableIndexBytes: number;
}

export interface Year {
  readonly storage: string;
  readonly days: number;
  readonly sent: number;
  readonly claimed: number;
  readonly parts: readonly YearPart[];
  /** Single claims, in ms: in the first, the middle and the last part, and in all. */
  readonly claims: { readonly few: readonly number[]; readonly many: readonly number[] };
  readonly vacuums: Vacuums;
  readonly sizes: readonly TableSize[];
  /** Sizes of the ledger's indexes after the year, and rebuilt. */
  readonly indexBytes: { readonly grown: number; readonly rebuilt: number };
}

export async function liveAYear(bench: MillionBench, few: Planted): Promise<Year> {
  const { context, databaseUrl, logger, meter, options, progress, tz } = bench;
  await meter.stage('year');
  const orm = await connectOrm(databaseUrl);
  context.atTheEnd(() => orm.close(true));
  const simulated = createSimulatedClock([orm, few.orm]);
  const { clock } = simulated;
  const planner = createBenchPlanner({ orm, tz, logger, clock });
  const loops = [
    createOutboxConsumer({
      outbox: createOutbox(orm),
      planner,
      areRequestsSlow: async () => false,
      logger,
    }),
    createFollowUp({ orm, planner, isLeftToDispatchers: async () => false, logger }),
  ];
  const autovacuum = await replaceAutovacuum(bench.orm);
  const ledger = createLedger(orm, { lateAfterMs: LATE_AFTER_MS });
  const small = await createFew(few, options.few, simulated);
  const changes = await createChanges(bench, orm, clock);
  const housekeeping = createHousekeeping(bench, orm, clock);
  // Of the small ledger's day, which varies, too.
  const claimSize = Math.floor(
    Math.min(CLAIM, options.users / 365, (0.8 * options.few) / FEW_DAYS),
  );

  for (const loop of loops) loop.start();
  const claims = { few: [] as number[], many: [] as number[] };
  const parts: YearPart[] = [];
  let partFrom = 0;
  let sent = 0;
  for (let day = 1; day <= options.days; day += 1) {
    await simulated.advance();
    const size = { limit: claimSize, now: clock(), leaseMs: LEASE_MS, takesExpired: true };
    // One of each is timed while nothing else runs; alternating, so that both meet the same
    // machine.
    const claimed = await timedClaim(ledger, size, claims.many);
    await small.live(size, claims.few);
    const settled = await sendDue(ledger, claimed, size);
    sent += settled.length;
    await changes.live();
    await untilPlanned(orm);
    await look(orm, settled, clock());
    await housekeeping();
    for (const { orm: vacuumed } of [few, bench]) await autovacuum.run(vacuumed);
    progress.tick(`day ${day} of ${options.days}: ${sent} sent`);
    if (Math.floor((day * PARTS) / options.days) > parts.length) {
      const part = { few: claims.few.slice(partFrom), many: claims.many.slice(partFrom) };
      parts.push(partOf(day, part, await tableSizes(orm)));
      partFrom = claims.many.length;
    }
  }
  for (const loop of loops) await loop.stop();
  return finish(bench, { orm, autovacuum, claims, parts, sent, claimSize });
}

/** The two clocks of the database, and that of this process. */
const SCHEMAS = ['users', 'events'] as const;
type SimulatedClock = ReturnType<typeof createSimulatedClock>;

function createSimulatedClock(orms: readonly Orm[]) {
  let aheadMs = 0;
  return {
    aheadMs: () => aheadMs,
    clock: () => Date.now() + aheadMs,
    async advance(): Promise<void> {
      aheadMs += DAY_MS;
      for (const [orm, schema] of orms.flatMap((each) =>
        SCHEMAS.map((name) => [each, name] as const),
      )) {
        await orm.em.fork().execute(
          `create or replace function ${schema}.clock() returns timestamptz language sql volatile
           as $$ select clock_timestamp() + interval '${aheadMs} milliseconds' $$`,
        );
      }
    },
  };
}

type Claim = Parameters<Ledger['claim']>[0];

/** Counts only if as many are due as it requests. */
async function timedClaim(
  ledger: Ledger,
  request: Claim,
  times: number[],
): Promise<readonly ClaimedOccurrence[]> {
  const startedAt = performance.now();
  const { claimed } = await ledger.claim(request);
  if (claimed.length === request.limit) times.push(performance.now() - startedAt);
  return claimed;
}

/**
 * A ledger of few that lives as the large one does: what falls due on a day was planned long before,
 * in the order of no instant, and is planned again when it is sent.
 */
async function createFew({ orm }: Planted, planned: number, simulated: SimulatedClock) {
  const em = orm.em.fork();
  await em.execute('delete from events.occurrences');
  await plantPlans(orm, { planned, fromMs: 0, withinMs: FEW_DAYS * DAY_MS });
  await em.execute('vacuum analyze');
  const ledger = createLedger(orm, { lateAfterMs: LATE_AFTER_MS });
  return {
    async live(size: Claim, times: number[]): Promise<void> {
      const settled = await sendDue(ledger, await timedClaim(ledger, size, times), size);
      const fromMs = simulated.aheadMs() + (FEW_DAYS - 1) * DAY_MS;
      await plantPlans(orm, { planned: settled.length, fromMs, withinMs: DAY_MS });
      await em.execute(
        `with old as (
           select key from events.occurrences
           where settled_at < events.clock() - make_interval(days => ${FEW_DAYS})
         ), attempts as (
           delete from events.attempts where occurrence_key in (select key from old)
         )
         delete from events.occurrences where key in (select key from old)`,
      );
    },
  };
}

/** Claims the rest of the day, and records all of it as delivered. */
async function sendDue(
  ledger: Ledger,
  first: readonly ClaimedOccurrence[],
  request: Claim,
): Promise<ClaimedOccurrence[]> {
  const settled: ClaimedOccurrence[] = [];
  let claimed = first;
  while (claimed.length > 0) {
    const attempts = claimed.map((row) => delivered(row, Math.max(request.now, row.dueAt)));
    const { locked, lost } = await ledger.record(attempts);
    if (locked.length + lost.length > 0) throw new Error('an outcome could not be written');
    settled.push(...claimed);
    ({ claimed } = await ledger.claim(request));
  }
  return settled;
}

/** Plans the successors of all settled rows, and what has changed. */
async function untilPlanned(orm: Orm): Promise<void> {
  const query = queryOf(orm);
  // In the order of the indexes: otherwise PostgreSQL, which expects some rows, reads a table to
  // find none.
  const isPlanned = async (): Promise<boolean> => {
    const [row] = await query<{ waits: boolean }>(
      `select (select true from events.occurrences where ${TO_PLAN}
          order by occasion_type, occasion_id limit 1) is not null
        or (select true from users.outbox where done_at is null and parked_at is null
          order by available_at, id limit 1) is not null as waits`,
    );
    return row?.waits === false;
  };
  await until(isPlanned, { everyMs: LOOK_EVERY_MS });
}

/** Writes what deliver writes when a workflow checks. */
async function look(
  orm: Orm,
  settled: readonly ClaimedOccurrence[],
  calledAt: number,
): Promise<void> {
  const query = queryOf(orm);
  for (let from = 0; from < settled.length; from += LOOKS_AT_ONCE) {
    const some = settled.slice(from, from + LOOKS_AT_ONCE);
    await answerCalls(
      query,
      some.map(({ occasionType, occasionId }) => ({
        type: occasionType,
        id: occasionId,
        calledAt,
      })),
    );
  }
}

/** A day's share of the changes in users' lives. */
async function createChanges(bench: MillionBench, orm: Orm, clock: () => number) {
  const { options, tz } = bench;
  const users = createUsers(orm, { clock, tz });
  const daily = (share: number): number => Math.round((options.users * share) / 365);
  const counts = {
    zone: daily(CHANGES.zone),
    name: daily(CHANGES.name),
    created: daily(CHANGES.created),
    deleted: daily(CHANGES.deleted),
  };
  const perDay = counts.zone + counts.name + counts.deleted;
  const rows = await bench.orm.em
    .fork()
    .execute<{ id: string }[]>('select id from users.users order by random() limit :count', {
      count: perDay * options.days,
    });
  const ids = rows.map(({ id }) => id);
  const next = (count: number): string[] => ids.splice(0, count);
  return {
    async live(): Promise<void> {
      const changes: (() => Promise<unknown>)[] = [
        ...next(counts.zone).map((id) => () => users.update(id, { timezone: 'Europe/Paris' })),
        ...next(counts.name).map((id) => () => users.update(id, { lastName: 'Married' })),
        ...next(counts.deleted).map((id) => () => users.delete(id)),
        ...Array.from({ length: counts.created }, () => () => users.create(NEW_USER)),
      ];
      const limit = pLimit(CHANGES_AT_ONCE);
      await Promise.all(changes.map((change) => limit(change)));
    },
  };
}

const NEW_USER = {
  externalId: null,
  firstName: 'Ada',
  lastName: 'New',
  dateOfBirth: '1990-06-15',
  timezone: 'Europe/Berlin',
  deliveryTime: null,
} as const;

/** Retention with the default settings, once a day. */
function createHousekeeping({ tz }: MillionBench, orm: Orm, clock: () => number) {
  const settings = loadSettings({});
  const audits = createAuditStore({ orm, tz, limits: DATE_LIMITS, clock });
  const { prune } = createHousekeepingActivities({ retention: createRetention(orm), audits });
  const keep = {
    attemptsMs: settings.RETAIN_ATTEMPTS,
    responseExcerptsMs: settings.RETAIN_RESPONSE_EXCERPTS,
    idempotencyKeysMs: settings.RETAIN_IDEMPOTENCY_KEYS,
    outboxMs: settings.RETAIN_OUTBOX,
    occurrencesMs: settings.RETAIN_OCCURRENCES,
  };
  return async (): Promise<void> => {
    while ((await prune({ keep })).more);
  };
}

const LEDGER = 'events.occurrences';
const CLAIMABLE = 'events.occurrences_claimable';

function partOf(day: number, { few, many }: Year['claims'], sizes: readonly TableSize[]): YearPart {
  const ledger = sizes.find(({ table: name }) => name === LEDGER);
  const medians = [few, many].map((times) => distributionOf(times)?.p50 ?? null);
  const [ofFew = null, ofMany = null] = medians;
  return {
    day,
    few: ofFew,
    many: ofMany,
    ratio: ofFew === null || ofMany === null ? null : ofMany / ofFew,
    deadRows: ledger?.deadRows ?? 0,
    bytes: bytesOf(sizes),
    occurrencesBytes: ledger?.tableBytes ?? 0,
    occurrencesIndexBytes: ledger?.indexBytes ?? 0,
    claimableIndexBytes: ledger?.indexes[CLAIMABLE] ?? 0,
  };
}

interface Lived {
  readonly orm: Orm;
  readonly autovacuum: Autovacuum;
  readonly claims: Year['claims'];
  readonly parts: readonly YearPart[];
  readonly sent: number;
  readonly claimSize: number;
}

async function finish(bench: MillionBench, lived: Lived): Promise<Year> {
  const { meter, options, print, progress } = bench;
  const { autovacuum, claims, parts, sent, claimSize } = lived;
  const vacuums = autovacuum.vacuums();
  const sizes = await tableSizes(bench.orm);
  const indexBytesOf = (all: readonly TableSize[]): number =>
    all.find(({ table: name }) => name === LEDGER)?.indexBytes ?? 0;
  await meter.stage('reindex');
  progress.say('the indexes of the ledger are rebuilt, to see how much of them was bloat');
  await bench.orm.em.fork().execute(`reindex table ${LEDGER}`);
  const rebuilt = indexBytesOf(await tableSizes(bench.orm));

  const third = Math.ceil(claims.many.length / PARTS);
  const middle = Math.floor((claims.many.length - third) / 2);
  const rows = [
    ['first', 0, third],
    ['middle', middle, middle + third],
    ['last', -third, undefined],
    ['all', 0, undefined],
  ] as const;
  print(
    `${options.days} days, ${sent} sent, storage settings: ${options.storage}`,
    table(
      [`a claim of ${claimSize}`, 'median', 'p95', 'longest', 'ratio'],
      rows.flatMap(([name, from, to]) => {
        const few = claims.few.slice(from, to);
        const many = claims.many.slice(from, to);
        return [
          ratioRow(`${name}: among ${options.few}`, few, few),
          ratioRow(`${name}: among ${options.users}`, many, few),
        ];
      }),
    ),
  );
  print(
    'The ledger over the year, MB',
    table(
      ['day', 'ratio of claims', 'dead rows', 'all tables', 'ledger', 'its indexes', 'claimable'],
      parts.map((part) => [
        String(part.day),
        part.ratio?.toFixed(2) ?? '-',
        String(part.deadRows),
        mb(part.bytes),
        mb(part.occurrencesBytes),
        mb(part.occurrencesIndexBytes),
        mb(part.claimableIndexBytes),
      ]),
    ),
  );
  const runs = Object.entries(vacuums.runs).map((row) => row.map(String));
  print(
    `VACUUM where autovacuum would have run: ${(vacuums.tookMs / 1_000).toFixed(1)} s in all`,
    table(['table', 'times'], runs),
  );
  print('On disk after it', sizesTable(sizes, options.users));
  const indexBytes = { grown: indexBytesOf(sizes), rebuilt };
  print('Indexes of the ledger', `${mb(indexBytes.grown)} MB; rebuilt, ${mb(rebuilt)} MB`);
  const { days, storage } = options;
  return {
    storage,
    days,
    sent,
    claimed: claims.many.length,
    parts,
    claims,
    vacuums,
    sizes,
    indexBytes,
  };
}

const mb = (bytes: number): string => (bytes / 1e6).toFixed(1);
