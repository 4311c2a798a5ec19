import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';

import { createOccurrenceTraces } from '../../src/ledger/occurrence-traces.ts';
import {
  changeOpenRows,
  markFollowed,
  RowsNotPlannableError,
  settleAllOf,
  upsertPlanned,
  upsertSkipped,
} from '../../src/ledger/plan-rows.ts';
import { redirectPage } from '../../src/ledger/redirect.ts';
import { createRedelivered } from '../../src/ledger/redelivered.ts';
import { createRedelivery } from '../../src/ledger/redelivery.ts';
import { createRetryNow } from '../../src/ledger/retry-now.ts';
import { NotRedeliverableError, NotRetryableError } from '../../src/ledger/errors.ts';
import type { EndReason, NextStep, PlannedRow } from '../../src/ledger/types.ts';
import { HOUR, LEASE_MS, MINUTE, useLedgerFixture } from './ledger-fixture.ts';
import { born } from './ledger-plans.ts';
import {
  plantSpecimens,
  readRows,
  SPECIMEN_NAMES,
  type Specimen,
  type SpecimenName,
} from './ledger-specimens.ts';
import { TRANSITIONS } from './transitions.ts';

const fixture = useLedgerFixture();
const { inPlan } = fixture;

const LEASE_TOKEN = 7;
const DAY = 24 * HOUR;

const OPEN_BUT_LEASED: readonly SpecimenName[] = [
  'to come',
  'due',
  'retrying',
  'to be retried',
  'blocked',
  'released',
  'lease expired',
];
const UNDER_LEASE: readonly SpecimenName[] = ['leased', 'leased, a retry', 'lease expired'];
const FORCED: SpecimenName = 'sent again by force, leased';
const WAITING: SpecimenName = 'sent again, waiting';
const DELIVERED: readonly SpecimenName[] = ['delivered', 'delivered and followed'];
const GIVEN_UP: readonly SpecimenName[] = ['refused', 'date changed', 'skipped'];
const UNSETTLED: readonly SpecimenName[] = [
  ...OPEN_BUT_LEASED,
  WAITING,
  'leased',
  'leased, a retry',
  FORCED,
];
/** Attempts for these use no lease of theirs. */
const NOT_UNDER_LEASE = SPECIMEN_NAMES.filter(
  (name) => !UNDER_LEASE.includes(name) && name !== FORCED,
);

interface Run {
  /** Applies it to each of these rows that the statement allows. */
  readonly does: (specimens: readonly Specimen[]) => Promise<void>;
  /** The rows that the table's guard, in words there, lets it change. */
  readonly changes: readonly SpecimenName[];
  /** The rows that the same statement changes by other transitions. */
  readonly alongside?: readonly SpecimenName[];
}

/**
 * How each transition of the table is made, so that every column that it may change does change.
 */
const RUNS: Readonly<Record<string, readonly Run[]>> = {
  'plan again': [
    {
      does: (specimens) => eachInPlan(specimens, (em, one) => upsertPlanned(em, [otherPlan(one)])),
      changes: [...OPEN_BUT_LEASED, 'skipped', 'date changed'],
    },
    {
      does: (specimens) =>
        eachInPlan(specimens, (em, one) =>
          upsertPlanned(em, [
            { ...otherPlan(one), dueAt: null, localDate: null, blockedReason: 'no zone' },
          ]),
        ),
      changes: [...OPEN_BUT_LEASED, 'skipped', 'date changed'],
    },
  ],
  'skip planned': [
    {
      does: (specimens) =>
        eachInPlan(specimens, (em, one) =>
          upsertSkipped(em, [{ ...otherPlan(one), reason: 'too_late' }]),
        ),
      changes: OPEN_BUT_LEASED,
    },
  ],
  'settle open': [
    {
      does: (specimens) =>
        eachInPlan(specimens, (em, { key }) =>
          changeOpenRows(em, [{ key, action: 'settle', reason: 'date_changed' }]),
        ),
      changes: OPEN_BUT_LEASED,
    },
  ],
  'settle all': [
    {
      does: (specimens) =>
        inPlan(async (em) => {
          await settleAllOf(em, specimens.map(occasionOf), 'user_deleted');
        }),
      changes: [...OPEN_BUT_LEASED, WAITING],
    },
    {
      does: async (specimens) => {
        await fixture.rows.shiftClock(HOUR);
        await inPlan(async (em) => {
          await settleAllOf(em, specimens.map(occasionOf), 'user_deleted');
        });
      },
      changes: UNSETTLED,
    },
  ],
  remove: [
    {
      does: (specimens) =>
        eachInPlan(specimens, (em, { key }) => changeOpenRows(em, [{ key, action: 'remove' }])),
      changes: ['to come', 'due', 'blocked', 'released'],
    },
  ],
  follow: [
    {
      does: (specimens) => inPlan((em) => markFollowed(em, specimens.map(occasionOf))),
      changes: ['delivered', 'refused', 'skipped'],
    },
  ],
  claim: [
    {
      does: async () => {
        await fixture.claim(100);
      },
      changes: ['due', 'retrying', WAITING, 'lease expired'],
    },
    {
      does: async () => {
        await fixture.claim(100, { takesExpired: false });
      },
      changes: ['due', 'retrying', WAITING],
    },
    {
      does: async (specimens) => {
        const terms = { now: Date.now(), leaseMs: LEASE_MS, takesExpired: true };
        await fixture.ledger.claimKeys(
          specimens.map(({ key }) => key),
          terms,
        );
      },
      changes: ['due', 'retrying', WAITING, 'lease expired'],
    },
  ],
  release: [
    {
      does: async (specimens) => void (await fixture.ledger.release(specimens.map(leaseOf))),
      changes: UNDER_LEASE,
    },
    {
      does: async (specimens) => void (await fixture.ledger.release(specimens.map(otherLeaseOf))),
      changes: [],
    },
  ],
  'return to the queue': [
    {
      does: sentElsewhere(async (specimens) => {
        await fixture.ledger.returnToQueue(specimens.map(leaseOf));
      }),
      changes: [...UNDER_LEASE, FORCED],
    },
    {
      does: async (specimens) =>
        void (await fixture.ledger.returnToQueue(specimens.map(otherLeaseOf))),
      changes: [],
    },
  ],
  redirect: [
    {
      does: sentElsewhere(async () => {
        await redirectPage(fixture.database.orm, Date.now(), { dueAt: 0, key: '' }, 100);
      }),
      changes: ['due', 'retrying', 'to be retried', 'released', WAITING, 'lease expired'],
    },
  ],
  end: [
    { does: end('too_late'), changes: UNDER_LEASE },
    { does: end('superseded'), changes: UNDER_LEASE },
    { does: end('date_changed'), changes: UNDER_LEASE },
    { does: end('user_deleted'), changes: [...UNDER_LEASE, FORCED] },
    { does: end('occasion_deleted'), changes: [...UNDER_LEASE, FORCED] },
    { does: end('suspended'), changes: [...UNDER_LEASE, FORCED] },
  ],
  deliver: [
    {
      does: record({ kind: 'delivered', at: Date.now() }),
      changes: [...UNSETTLED, ...GIVEN_UP],
      alongside: DELIVERED,
    },
  ],
  retry: [
    {
      does: record({ kind: 'retry', at: Date.now() + HOUR, notBefore: Date.now() }),
      changes: [...UNDER_LEASE, FORCED],
      alongside: NOT_UNDER_LEASE,
    },
  ],
  supersede: [
    {
      does: record({ kind: 'retry', at: Date.now() + 11 * DAY, notBefore: null }),
      changes: UNDER_LEASE,
      alongside: [...NOT_UNDER_LEASE, FORCED],
    },
  ],
  fail: [
    {
      does: record({ kind: 'failed', at: Date.now(), reason: 'refused' }),
      changes: [...UNDER_LEASE, FORCED],
      alongside: NOT_UNDER_LEASE,
    },
  ],
  count: [
    {
      does: record({ kind: 'failed', at: Date.now(), reason: 'refused' }, LEASE_TOKEN - 1),
      changes: SPECIMEN_NAMES,
    },
    {
      does: record({ kind: 'delivered', at: Date.now() }),
      changes: DELIVERED,
      alongside: [...UNSETTLED, ...GIVEN_UP],
    },
  ],
  redeliver: [
    { does: redeliver(false), changes: GIVEN_UP },
    { does: redeliver(true), changes: [...GIVEN_UP, ...DELIVERED] },
  ],
  'retry now': [
    {
      async does(specimens) {
        const retryNow = createRetryNow(fixture.database.orm);
        for (const { key } of specimens) {
          await retryNow(key).catch((error: unknown) => {
            if (!(error instanceof NotRetryableError)) throw error;
          });
        }
      },
      changes: ['to be retried'],
    },
  ],
  notify: [
    {
      async does() {
        const redelivered = createRedelivered(fixture.database.orm);
        await fixture.rows.shiftClock(HOUR);
        const unnotified = await redelivered.findUnnotified(100);
        await fixture.rows.shiftClock(0);
        await redelivered.markNotified(unnotified);
      },
      changes: [WAITING, FORCED],
    },
  ],
  trace: [
    {
      does: async (specimens) => {
        const traces = createOccurrenceTraces(fixture.database.orm, pino({ level: 'silent' }));
        for (const { key } of specimens) await traces.keep(key, { traceparent: 'x', at: 1 });
      },
      changes: SPECIMEN_NAMES,
    },
  ],
};

const INSERTS: Readonly<Record<string, (rows: readonly PlannedRow[]) => Promise<void>>> = {
  plan: (rows) => inPlan((em) => upsertPlanned(em, rows)),
  skip: (rows) =>
    inPlan((em) =>
      upsertSkipped(
        em,
        rows.map((row) => ({ ...row, reason: 'superseded' })),
      ),
    ),
};

describe('the table of transitions', () => {
  const table = Object.entries(TRANSITIONS);

  test('has no transition that is not tested here', () => {
    const names = table.map(([name]) => name);
    expect(names.toSorted()).toEqual([...Object.keys(RUNS), ...Object.keys(INSERTS)].toSorted());
  });

  test.each(table.filter(([name]) => name in RUNS))(
    '%s: changes the rows, and the columns, that the table says',
    async (name, { from, to, columns }) => {
      const changedColumns = new Set<string>();
      const left = new Set<string>();
      for (const { does, changes, alongside = [] } of RUNS[name] ?? []) {
        await fixture.rows.sql('truncate events.occurrences cascade');
        const specimens = await plantSpecimens(fixture.rows);
        const before = await readRows(fixture.rows);
        await does(specimens);
        await fixture.rows.shiftClock(0);
        const after = await readRows(fixture.rows);

        const touched = specimens.filter(
          ({ key }) =>
            after.get(key) === undefined ||
            changedBetween(before.get(key), after.get(key)).length > 0,
        );
        const names = touched.map((one) => one.name);
        expect(names.toSorted()).toEqual([...changes, ...alongside].toSorted());
        const changed = touched.filter((one) => changes.includes(one.name));
        for (const { key, state } of changed) {
          expect(from, `${name} from ${state}`).toContain(state);
          left.add(state);
          const end = after.get(key);
          const become = end === undefined ? 'none' : String(end['state']);
          expect(to.map((one) => (one === 'same' ? state : one))).toContain(become);
          for (const column of changedBetween(before.get(key), end)) changedColumns.add(column);
        }
      }
      expect([...changedColumns].toSorted()).toEqual([...columns].toSorted());
      expect([...left].toSorted()).toEqual([...from].toSorted());
    },
  );

  test.each(table.filter(([name]) => name in INSERTS))(
    '%s: writes the columns that the table says',
    async (name, { from, to, columns }) => {
      const dueAt = Date.now() - MINUTE;
      const rule = { recurrence: 'rrule', rrule: 'FREQ=DAILY', offsetDays: 7 };
      const rows = [{ ...born(dueAt), ...rule, supersededAt: dueAt + DAY }, born(null)];
      await INSERTS[name]?.(rows);
      const written = new Set<string>();
      for (const row of (await readRows(fixture.rows)).values()) {
        expect(to).toContain(row['state']);
        const filled = Object.entries(row).filter(([, value]) => !EMPTY.has(value));
        for (const [column] of filled) written.add(column);
      }
      expect([...written].toSorted()).toEqual([...columns].toSorted());
      expect(from).toEqual(['none']);
    },
  );
});

test('nothing else in src changes the rows of the ledger', async () => {
  const allowed = [
    'src/ledger/claim.ts',
    'src/ledger/occurrence-traces.ts',
    'src/ledger/outcomes.ts',
    'src/ledger/plan-rows.ts',
    'src/ledger/redelivered.ts',
    'src/ledger/redelivery.ts',
    'src/ledger/redirect.ts',
    'src/ledger/retry-now.ts',
  ];
  const change =
    /(?:insert\s+into|update|delete\s+from|truncate)\s+(?:only\s+)?events\.occurrences/i;
  const writers: string[] = [];
  for (const file of await readdir('src', { recursive: true, withFileTypes: true })) {
    const name = path.join(file.parentPath, file.name);
    if (!file.isFile() || !name.endsWith('.ts')) continue;
    if (change.test(await readFile(name, 'utf8'))) writers.push(name);
  }
  const isAllowed = (name: string): boolean =>
    allowed.includes(name) || /^src\/(?:erasure|retention)\//.test(name);
  expect(writers.filter((name) => !isAllowed(name))).toEqual([]);
  expect(writers).toEqual(expect.arrayContaining(allowed));
});

type Row = Readonly<Record<string, unknown>>;

const EMPTY: ReadonlySet<unknown> = new Set([null, 0, false]);

/** The columns in which two rows differ; none if one of them does not exist. */
function changedBetween(before: Row | undefined, after: Row | undefined): string[] {
  if (before === undefined || after === undefined) return [];
  return Object.keys(before).filter((column) => before[column] !== after[column]);
}

/** Each in its own transaction, since one that must not be planned undoes it. */
async function eachInPlan(
  specimens: readonly Specimen[],
  work: (em: SqlEntityManager, specimen: Specimen) => Promise<void>,
): Promise<void> {
  for (const specimen of specimens) {
    await inPlan((em) => work(em, specimen)).catch((error: unknown) => {
      if (!(error instanceof RowsNotPlannableError)) throw error;
    });
  }
}

/** A plan that differs in every column. */
function otherPlan({ userId, dueAt }: Specimen): PlannedRow {
  return {
    ...born(dueAt + HOUR, userId),
    nominalDate: '2026-05-21',
    recurrence: 'rrule',
    rrule: 'FREQ=WEEKLY',
    date: '1991-06-21',
    offsetDays: 7,
    timezone: 'Asia/Tokyo',
    localTime: '08:30',
    leapDayPolicy: 'mar1',
    tzVersion: '2099z',
    rulesId: 2,
    inputsAt: Date.now(),
    localDate: '2026-05-21',
    supersededAt: Date.now() + 20 * DAY,
    destination: 'other',
  };
}

function occasionOf({ userId }: Specimen) {
  return { type: 'birthday', id: userId };
}

function leaseOf({ key }: Specimen) {
  return { key, leaseToken: LEASE_TOKEN };
}

function otherLeaseOf({ key }: Specimen) {
  return { key, leaseToken: LEASE_TOKEN - 1 };
}

/** While birthdays are sent to a destination that none of the open rows has. */
function sentElsewhere(does: Run['does']): Run['does'] {
  return async (specimens) => {
    const { sql } = fixture.rows;
    await sql(`insert into events.occasion_types (type, destination) values ('birthday', 'crm')`);
    await does(specimens);
    await sql('delete from events.occasion_types');
  };
}

function end(reason: EndReason): Run['does'] {
  return async (specimens) => {
    await fixture.ledger.end(specimens.map((one) => ({ ...leaseOf(one), reason })));
  };
}

function record(next: NextStep, leaseToken = LEASE_TOKEN): Run['does'] {
  return async (specimens) => {
    await fixture.ledger.record(
      specimens.map(({ key, dueAt }) => ({
        key,
        destination: 'default',
        leaseToken,
        dueAt,
        localDate: '2026-05-20',
        redelivered: false,
        sentBy: 'dispatcher',
        // Before the redeliveries among them.
        startedAt: Date.now() - 25 * MINUTE,
        durationMs: 12,
        outcome: next.kind,
        status: 200,
        errorCode: null,
        responseExcerpt: null,
        next,
        slowsDestination: false,
        retryAfterMs: null,
      })),
    );
  };
}

function redeliver(force: boolean): Run['does'] {
  return async (specimens) => {
    const redelivery = createRedelivery(fixture.database.orm);
    for (const { key } of specimens) {
      await redelivery.redeliver(key, { force }).catch((error: unknown) => {
        if (!(error instanceof NotRedeliverableError)) throw error;
      });
    }
  };
}
