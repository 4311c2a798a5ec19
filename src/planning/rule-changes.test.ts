import { describe, expect, it } from 'vitest';

import {
  type Change,
  HONOLULU,
  HOUR_MS,
  inputOf,
  KIRITIMATI,
  PAGO_PAGO,
  plan,
  row,
  inWords,
  TOKYO,
} from '../../test/planning/one-plan.ts';
import { decidePlan } from './rule.ts';

/** A user born on 05-20 in New York, whose row for 2026 was planned a year before. */
const PLANNED = {
  plannedAt: '2025-05-20T13:00:05Z',
  open: row('2026-05-20', '2026-05-20T13:00:00Z'),
} as const;
const TRIED = row('2026-05-20', '2026-05-20T13:00:00Z', {
  attempts: 2,
  first: '2026-05-20T13:00:00Z',
});

describe('a corrected date of birth', () => {
  it.each([
    ['1990-12-31', '1990-01-01', '2026-12-31', [], 'remove, 2027-01-01 at 2027-01-01T14:00Z'],
    [
      '1990-01-01',
      '1990-12-31',
      '2027-01-01',
      ['2026-01-01'],
      'keep, 2027-12-31 at 2027-12-31T14:00Z',
    ],
    ['1990-01-01', '1990-12-31', '2027-01-01', [], 'remove, 2026-12-31 at 2026-12-31T14:00Z'],
  ])(
    'from %s to %s in summer crosses the end of the year',
    (was, date, open, settled, expected) => {
      const decision = plan({
        date: was,
        created: '2026-02-01T00:00:00Z',
        changes: [['2026-07-01T00:00:00Z', { date }]],
        plannedAt: '2026-02-01T00:00:00Z',
        open: row(open, `${open}T14:00:00Z`),
        settled,
        now: '2026-07-01T00:00:01Z',
      });
      expect(inWords(decision)).toBe(expected);
    },
  );

  it('to a day whose 9:00 is this very ms has passed, as for a user created then', () => {
    const decision = plan({
      date: '1990-12-01',
      changes: [['2026-05-20T13:00:00Z', { date: '1990-05-20' }]],
      plannedAt: '2025-12-01T14:00:05Z',
      open: row('2026-12-01', '2026-12-01T14:00:00Z'),
      now: '2026-05-20T13:00:00Z',
    });
    expect(inWords(decision)).toBe('remove, 2027-05-20 at 2027-05-20T13:00Z');
  });

  it('with only another year of birth is the same day, so that an owed greeting stays owed', () => {
    const decision = plan({
      ...PLANNED,
      changes: [['2026-05-20T15:00:00Z', { date: '1980-05-20' }]],
      now: '2026-05-20T15:00:01Z',
    });
    expect(inWords(decision)).toBe('keep, owed 2026-05-20 at 2026-05-20T13:00Z');
  });

  it('from 29 to 28 February is the same day in a common year', () => {
    const leapling = {
      date: '2000-02-29',
      changes: [['2026-02-28T15:00:00Z', { date: '2000-02-28' }]],
      plannedAt: '2025-03-01T00:00:00Z',
      now: '2026-02-28T15:00:01Z',
    } as const;
    const expected = 'keep, owed 2026-02-29 at 2026-02-28T14:00Z';
    const open = row('2026-02-29', '2026-02-28T14:00:00Z');
    expect(inWords(plan({ ...leapling, open }))).toBe(expected);
    // For a monthly one they are two keys: the one that fell due continues.
    const monthly = { type: 'reminder', recurrence: 'monthly' } as const;
    const reminder = row('2026-02-29', '2026-02-28T14:00:00Z', monthly);
    const since = '2026-02-01T00:00:00Z';
    const again = { ...leapling, ...monthly, plannedAt: since, open: reminder };
    expect(inWords(plan(again))).toBe(expected);
  });

  it('to this very year removes the row: the day of birth is not a birthday', () => {
    const decision = plan({
      ...PLANNED,
      changes: [['2026-05-01T00:00:00Z', { date: '2026-05-20' }]],
      now: '2026-05-01T00:00:01Z',
    });
    expect(inWords(decision)).toBe('remove, 2027-05-20 at 2027-05-20T13:00Z');
  });

  it('to this very year ends a row that was attempted', () => {
    const decision = plan({
      ...PLANNED,
      open: TRIED,
      changes: [['2026-05-20T14:00:00Z', { date: '2026-05-20' }]],
      now: '2026-05-20T14:00:01Z',
    });
    expect(inWords(decision)).toBe('settle date_changed, 2027-05-20 at 2027-05-20T13:00Z');
  });

  it('and back from this very year brings this year back', () => {
    const decision = plan({
      date: '2026-05-20',
      changes: [['2026-05-01T00:00:00Z', { date: '1990-05-20' }]],
      plannedAt: '2026-04-01T00:00:00Z',
      open: row('2027-05-20', '2027-05-20T13:00:00Z'),
      now: '2026-05-01T00:00:01Z',
    });
    expect(inWords(decision)).toBe('remove, 2026-05-20 at 2026-05-20T13:00Z');
  });

  it('does not bring back a year that is settled: for a birthday, the key is the year', () => {
    const decision = plan({
      changes: [['2026-07-01T00:00:00Z', { date: '1990-12-01' }]],
      plannedAt: '2026-05-20T13:00:05Z',
      open: row('2027-05-20', '2027-05-20T13:00:00Z'),
      settled: ['2025-05-20', '2026-05-20'],
      now: '2026-07-01T00:00:01Z',
    });
    expect(inWords(decision)).toBe('keep, 2027-12-01 at 2027-12-01T14:00Z');
  });

  it('of a yearly occasion that was sent counts as done for this year', () => {
    const decision = plan({
      recurrence: 'yearly',
      changes: [['2026-07-01T00:00:00Z', { date: '1990-12-01' }]],
      plannedAt: '2026-05-20T13:00:05Z',
      open: row('2027-05-20', '2027-05-20T13:00:00Z', { type: 'reminder', recurrence: 'yearly' }),
      settled: ['2025-05-20', '2026-05-20'],
      now: '2026-07-01T00:00:01Z',
    });
    expect(inWords(decision)).toBe('keep, 2027-12-01 at 2027-12-01T14:00Z');
  });

  it('leaves an occurrence that ended FAILED as date_changed to fall due again', () => {
    const decision = plan({
      changes: [
        ['2026-05-20T15:00:00Z', { date: '1990-03-01' }],
        ['2026-05-20T16:00:00Z', { date: '1990-05-25' }],
      ],
      plannedAt: '2026-05-20T15:00:01Z',
      open: row('2027-03-01', '2027-03-01T14:00:00Z'),
      settled: ['2025-05-20'],
      now: '2026-05-20T16:00:01Z',
    });
    expect(inWords(decision)).toBe('remove, 2026-05-25 at 2026-05-25T13:00Z');
  });
});

describe('changes that are planned late', () => {
  it('owe a corrected day that passed only after the correction, even if the row was attempted', () => {
    const corrected = {
      changes: [['2026-05-20T14:00:00Z', { date: '1990-05-25' }]],
      now: '2026-05-26T00:00:00Z',
    } as const;
    const expected = 'keep, owed 2026-05-25 at 2026-05-25T13:00Z';
    expect(inWords(plan({ ...PLANNED, ...corrected }))).toBe(expected);
    expect(inWords(plan({ ...PLANNED, ...corrected, open: TRIED }))).toBe(expected);
  });

  it('apply the limit of first attempts to a row that was attempted for an earlier day', () => {
    const decision = plan({
      ...PLANNED,
      open: TRIED,
      changes: [['2026-05-20T14:00:00Z', { date: '1990-05-25' }]],
      now: '2026-05-28T00:00:00Z',
    });
    expect(inWords(decision)).toBe('settle too_late, 2027-05-25 at 2027-05-25T13:00Z');
  });

  it('end an attempted row because of the change, not as late, although it has moved on since', () => {
    const decision = plan({
      changes: [
        ['2026-05-22T15:00:00Z', { date: '1990-12-01' }],
        ['2026-05-22T16:00:00Z', { date: '1990-03-01' }],
      ],
      plannedAt: '2026-05-22T15:00:01Z',
      open: row('2026-12-01', '2026-12-01T14:00:00Z', { attempts: 3 }),
      now: '2026-05-22T16:00:01Z',
    });
    expect(inWords(decision)).toBe('settle date_changed, 2027-03-01 at 2027-03-01T14:00Z');
  });

  it('leave at its first instant what falls due again, even if a claim has ended it since', () => {
    const decision = plan({
      date: '2008-01-31',
      recurrence: 'monthly',
      changes: [['2026-02-28T15:00:00Z', { policy: 'mar1' }]],
      created: '2026-02-01T00:00:00Z',
      plannedAt: '2026-02-28T15:00:01Z',
      now: '2026-03-02T14:00:01Z',
    });
    expect(inWords(decision)).toBe('none, 2026-03-31 at 2026-03-31T13:00Z');
  });

  it('owe a day that came before the move', () => {
    const changes: Change[] = [
      ['2026-05-10T00:00:00Z', { date: '1990-05-20' }],
      ['2026-05-20T14:00:00Z', { zone: TOKYO }],
    ];
    const open = row('2026-09-01', '2026-09-01T13:00:00Z');
    const plannedAt = '2025-09-01T13:00:05Z';
    const now = '2026-05-20T15:00:00Z';
    expect(inWords(plan({ date: '1990-09-01', changes, plannedAt, open, now }))).toBe(
      'keep, owed 2026-05-20 at 2026-05-20T13:00Z',
    );
  });

  it('owe nothing if a date came to name a day that had passed', () => {
    const changes: Change[] = [
      ['2026-05-10T00:00:00Z', { zone: TOKYO }],
      ['2026-05-20T14:00:00Z', { date: '1990-05-20' }],
    ];
    const open = row('2026-09-01', '2026-09-01T13:00:00Z');
    const plannedAt = '2025-09-01T13:00:05Z';
    const now = '2026-05-20T15:00:00Z';
    expect(inWords(plan({ date: '1990-09-01', changes, plannedAt, open, now }))).toBe(
      'remove, 2027-05-20 at 2027-05-20T00:00Z',
    );
  });

  it('owe nothing if the day passed while it was corrected away, whatever the row says', () => {
    const decision = plan({
      ...PLANNED,
      changes: [
        ['2026-05-20T12:00:00Z', { date: '1990-12-01' }],
        ['2026-05-20T14:00:00Z', { date: '1990-05-20' }],
      ],
      now: '2026-05-20T15:00:00Z',
    });
    expect(inWords(decision)).toBe('remove, 2027-05-20 at 2027-05-20T13:00Z');
  });

  it('never send early: a row whose instant has passed moves west with its user', () => {
    const decision = plan({
      ...PLANNED,
      changes: [['2026-05-20T12:00:00Z', { zone: HONOLULU }]],
      now: '2026-05-20T14:00:00Z',
    });
    expect(inWords(decision)).toBe('keep, 2026-05-20 at 2026-05-20T19:00Z');
  });

  it('owe a day that a move brought back to a user created after 9:00 of it', () => {
    const moved = {
      created: '2026-05-20T14:00:00Z',
      changes: [['2026-05-20T14:30:00Z', { zone: HONOLULU }]],
      plannedAt: '2026-05-20T14:00:00Z',
      open: row('2027-05-20', '2027-05-20T13:00:00Z'),
    } as const;
    const wordsAt = (now: string) => inWords(plan({ ...moved, now }));
    expect(wordsAt('2026-05-20T14:30:01Z')).toBe('remove, 2026-05-20 at 2026-05-20T19:00Z');
    expect(wordsAt('2026-05-21T00:00:00Z')).toBe('remove, owed 2026-05-20 at 2026-05-20T19:00Z');
  });

  it('do not use up a year that was too late in between', () => {
    const decision = plan({
      ...PLANNED,
      changes: [
        ['2026-05-24T00:00:00Z', { zone: TOKYO }],
        ['2026-05-25T00:00:00Z', { date: '1990-06-10' }],
      ],
      now: '2026-05-26T00:00:00Z',
    });
    expect(inWords(decision)).toBe('keep, 2026-06-10 at 2026-06-10T00:00Z');
  });

  it('are planned even if the clock that dated them is ahead', () => {
    const decision = plan({
      ...PLANNED,
      changes: [
        ['2026-05-20T12:00:01Z', { zone: TOKYO }],
        ['2026-05-20T12:00:02Z', { zone: 'Asia/Seoul' }],
      ],
      now: '2026-05-20T12:00:00Z',
    });
    expect(inWords(decision)).toBe('keep, owed 2026-05-20 at 2026-05-20T00:00Z');
  });

  it('count from the time of the change, not from a plan that did not know it yet', () => {
    // Made at 12:00:00; the plan of 11:59:59 did not see it.
    const decision = plan({
      plannedAt: '2026-05-20T11:59:59Z',
      open: row('2026-05-20', '2026-05-20T13:00:00Z'),
      changes: [['2026-05-20T12:00:00Z', { zone: TOKYO }]],
      now: '2026-05-20T12:00:01Z',
    });
    expect(inWords(decision)).toBe('keep, owed 2026-05-20 at 2026-05-20T00:00Z');
  });
});

describe('versions of one instant', () => {
  it('count as the last of them only', () => {
    const decision = plan({
      ...PLANNED,
      changes: [
        ['2026-05-20T12:00:00Z', { date: '1990-12-01' }],
        ['2026-05-20T12:00:00Z', { date: '1990-05-20', zone: TOKYO }],
      ],
      now: '2026-05-20T12:00:01Z',
    });
    expect(inWords(decision)).toBe('keep, owed 2026-05-20 at 2026-05-20T00:00Z');
  });

  it('at the creation count as the last of them', () => {
    const created = '2026-05-20T12:00:00Z';
    const changes: Change[] = [[created, { zone: TOKYO }]];
    expect(inWords(plan({ created, changes, now: '2026-05-20T12:00:01Z' }))).toBe(
      'none, 2027-05-20 at 2027-05-20T00:00Z',
    );
  });
});

describe('suspension', () => {
  const suspended = (from: string, until?: string): Change[] => [
    [from, { suspended: true }],
    ...(until === undefined ? [] : [[until, { suspended: false }] as const]),
  ];

  it('ends what is owed', () => {
    const changes = suspended('2026-05-20T14:00:00Z', '2026-05-20T15:00:00Z');
    const decision = plan({ ...PLANNED, changes, now: '2026-05-20T16:00:00Z' });
    expect(inWords(decision)).toBe('settle suspended, 2027-05-20 at 2027-05-20T13:00Z');
  });

  it('ends at once what falls due meanwhile', () => {
    const changes = suspended('2026-05-01T00:00:00Z');
    const decision = plan({ ...PLANNED, changes, now: '2026-05-20T13:00:01Z' });
    expect(inWords(decision)).toBe('settle suspended, 2027-05-20 at 2027-05-20T13:00Z');
  });

  it('leaves later occurrences alone when it is over', () => {
    const changes = suspended('2026-05-01T00:00:00Z', '2026-05-20T12:59:59Z');
    const decision = plan({ ...PLANNED, changes, now: '2026-05-20T13:00:01Z' });
    expect(inWords(decision)).toBe('keep, owed 2026-05-20 at 2026-05-20T13:00Z');
  });

  it('that came first is the reason, even if it is too late by now', () => {
    const changes = suspended('2026-05-20T14:00:00Z');
    const decision = plan({ ...PLANNED, changes, now: '2026-06-20T13:00:01Z' });
    expect(inWords(decision)).toContain('settle suspended');
  });

  it('lets the same key fall due again where the day is still to come', () => {
    const decision = plan({
      ...PLANNED,
      changes: [
        ...suspended('2026-05-20T14:00:00Z', '2026-05-20T15:00:00Z'),
        ['2026-05-20T16:00:00Z', { zone: HONOLULU }],
      ],
      now: '2026-05-20T16:00:01Z',
    });
    expect(inWords(decision)).toBe('keep, 2026-05-20 at 2026-05-20T19:00Z');
  });
});

describe('an occasion that was deleted', () => {
  const plannedAt = '2026-05-19T00:00:00Z';
  const now = '2026-05-23T00:00:00Z';

  it('has its open row settled, whether or not it fell due', () => {
    const toCome = plan({ ...PLANNED, ended: '2026-05-01T00:00:00Z', now: '2026-05-01T00:00:01Z' });
    expect(inWords(toCome)).toBe('settle user_deleted, nothing');
    const owed = plan({ ...PLANNED, ended: '2026-05-20T14:00:00Z', now });
    expect(inWords(owed)).toBe('settle user_deleted, nothing');
  });

  it('keeps the reason that came before', () => {
    const ended = '2026-05-22T14:00:00Z';
    expect(inWords(plan({ ...PLANNED, ended, now }))).toBe('settle too_late, nothing');
  });

  it('has what fell due unseen recorded', () => {
    const daily = { recurrence: 'daily', created: '2026-05-19T00:00:00Z' } as const;
    const decision = plan({ ...daily, plannedAt, ended: '2026-05-20T14:00:00Z', now });
    expect(inWords(decision)).toBe('none, 2026-05-19 superseded, 2026-05-20 user_deleted, nothing');
  });

  it('never falls due at the instant of its end', () => {
    const decision = plan({ ...PLANNED, open: null, ended: '2026-05-20T13:00:00Z', now });
    expect(inWords(decision)).toBe('none, nothing');
  });
});

describe('an occasion of one day', () => {
  const once = { recurrence: 'once', date: '2026-05-20', created: '2026-05-01T00:00:00Z' } as const;
  const open = row('2026-05-20', '2026-05-20T13:00:00Z', { type: 'reminder' });

  it('is over once it is settled, or if its day had passed at creation', () => {
    const settled = { ...once, plannedAt: '2026-05-01T00:00:00Z', settled: ['2026-05-20'] };
    expect(inWords(plan({ ...settled, now: '2026-05-20T13:00:01Z' }))).toBe('none, nothing');
    const created = '2026-05-20T14:00:00Z';
    expect(inWords(plan({ ...once, created, now: created }))).toBe('none, nothing');
  });

  it('may get another date, even an earlier one, but not a day that was sent', () => {
    const dated = (date: string, ...back: Change[]) =>
      inWords(
        plan({
          ...once,
          changes: [['2026-05-10T00:00:00Z', { date }], ...back],
          plannedAt: '2026-05-01T00:00:00Z',
          settled: ['2026-05-20'],
          now: '2026-05-10T00:00:01Z',
        }),
      );
    expect(dated('2026-06-20')).toBe('none, 2026-06-20 at 2026-06-20T13:00Z');
    expect(dated('2026-05-15')).toBe('none, 2026-05-15 at 2026-05-15T13:00Z');
    expect(dated('2026-05-15', ['2026-05-10T00:00:00Z', { date: '2026-05-20' }])).toBe(
      'none, nothing',
    );
  });

  it('is too late, and then over', () => {
    const decision = plan({
      ...once,
      open,
      plannedAt: '2026-05-01T00:00:00Z',
      now: '2026-05-23T00:00:00Z',
    });
    expect(inWords(decision)).toBe('settle too_late, nothing');
  });
});

describe('a daily reminder', () => {
  const daily = { recurrence: 'daily', date: '2026-01-01', type: 'reminder' } as const;
  const type = 'reminder';

  it('loses no day in a move by 25 hours, but sends only the later of the two that it makes due', () => {
    const decision = plan({
      ...daily,
      zone: PAGO_PAGO,
      changes: [['2026-05-20T19:30:00Z', { zone: KIRITIMATI }]],
      plannedAt: '2026-05-19T20:00:05Z',
      open: row('2026-05-20', '2026-05-20T20:00:00Z', { type }),
      settled: ['2026-05-19'],
      now: '2026-05-20T19:30:01Z',
    });
    expect(inWords(decision)).toBe('settle superseded, owed 2026-05-21 at 2026-05-20T19:00Z');
    expect(decision.next).toMatchObject({ supersededAt: Date.parse('2026-05-21T19:00:00Z') });
  });

  it('does not go back to a day before one that was sent', () => {
    const back = {
      ...daily,
      zone: KIRITIMATI,
      created: '2026-05-20T18:00:00Z',
      changes: [['2026-05-20T19:30:00Z', { zone: PAGO_PAGO }]],
      plannedAt: '2026-05-20T19:00:05Z',
      open: row('2026-05-22', '2026-05-21T19:00:00Z', { type }),
      settled: ['2026-05-21'],
    } as const;
    const expected = 'keep, 2026-05-22 at 2026-05-22T20:00Z';
    expect(inWords(plan({ ...back, now: '2026-05-20T19:30:01Z' }))).toBe(expected);
    // The day that falls due again there is accounted for.
    expect(inWords(plan({ ...back, now: '2026-05-20T20:30:00Z' }))).toBe(
      'keep, 2026-05-20 superseded, 2026-05-22 at 2026-05-22T20:00Z',
    );
  });

  it('stays at the later day while that is owed, even if an earlier one falls due again', () => {
    const decision = plan({
      ...daily,
      zone: KIRITIMATI,
      created: '2026-05-20T18:00:00Z',
      changes: [['2026-05-20T19:30:00Z', { zone: PAGO_PAGO }]],
      plannedAt: '2026-05-20T19:30:01Z',
      open: row('2026-05-21', '2026-05-20T19:00:00Z', { type }),
      now: '2026-05-20T20:30:00Z',
    });
    expect(inWords(decision)).toBe(
      'keep, 2026-05-20 superseded, owed 2026-05-21 at 2026-05-20T19:00Z',
    );
    expect(decision.next).toMatchObject({ supersededAt: Date.parse('2026-05-22T20:00:00Z') });
  });

  it('is sent once on a day that follows one that the calendar skipped', () => {
    const decision = plan({
      ...daily,
      date: '2011-01-01',
      zone: 'Pacific/Apia',
      created: '2011-12-29T20:00:00Z',
      now: '2011-12-29T20:00:00Z',
    });
    expect(inWords(decision)).toBe('none, 2011-12-30 at 2011-12-30T19:00Z');
    expect(decision.next).toMatchObject({
      occurrence: { localDate: '2011-12-31' },
      supersededAt: Date.parse('2011-12-31T19:00:00Z'),
    });
  });
});

describe('inputs that cannot be resolved', () => {
  const unknown = { zone: 'Mars/Olympus', now: '2026-03-01T00:00:00Z' };
  const created = '2026-01-01T00:00:00Z';

  it('give a blocked row for the likely date, with the reason', () => {
    const decision = plan({ ...unknown, created });
    expect(inWords(decision)).toBe('none, blocked 2026-05-20');
    expect(decision.next).toHaveProperty(
      'reason',
      'The time zone "Mars/Olympus" is not in the tz database of this installation.',
    );
  });

  it('do not take a key that is final', () => {
    const settled = ['2026-02-03'];
    expect(inWords(plan({ ...unknown, created, settled }))).toBe('none, blocked 2027-05-20');
    const undated = plan({ ...unknown, date: '1990-02-30', created, settled });
    expect(inWords(undated)).toBe('none, blocked 2027-03-01');
  });

  it('block the open row and keep it, even one that was attempted', () => {
    const changes: Change[] = [['2026-05-20T14:00:00Z', { zone: 'Mars/Olympus' }]];
    const now = '2026-05-20T15:00:00Z';
    expect(inWords(plan({ ...PLANNED, changes, now }))).toBe('keep, blocked 2026-05-20');
    expect(inWords(plan({ ...PLANNED, open: TRIED, changes, now }))).toBe(
      'keep, blocked 2026-05-20',
    );
  });

  it('are planned again when the tz database knows them', () => {
    const blocked = row('2026-05-20', null);
    const wordsAt = (now: string) => inWords(plan({ created, open: blocked, now }));
    expect(wordsAt('2026-03-01T00:00:00Z')).toBe('keep, 2026-05-20 at 2026-05-20T13:00Z');
    expect(wordsAt('2026-05-21T00:00:00Z')).toBe('keep, owed 2026-05-20 at 2026-05-20T13:00Z');
    expect(wordsAt('2026-06-01T00:00:00Z')).toBe(
      'settle too_late, 2027-05-20 at 2027-05-20T13:00Z',
    );
  });

  it('leave no row behind for a date that turns out to be another', () => {
    const decision = plan({
      created: '2026-05-20T13:00:00Z',
      open: row('2026-05-20', null),
      now: '2026-05-20T14:00:00Z',
    });
    expect(inWords(decision)).toBe('remove, 2027-05-20 at 2027-05-20T13:00Z');
  });

  it('are skipped: what was to come before them falls due when they end', () => {
    const moved = (back: string, now: string) =>
      inWords(
        plan({
          ...PLANNED,
          changes: [
            ['2026-05-20T12:00:00Z', { zone: 'Mars/Olympus' }],
            [back, { zone: TOKYO }],
          ],
          now,
        }),
      );
    expect(moved('2026-05-20T12:30:00Z', '2026-05-20T12:31:00Z')).toBe(
      'keep, owed 2026-05-20 at 2026-05-20T00:00Z',
    );
    expect(moved('2026-05-21T12:30:00Z', '2026-05-21T12:31:00Z')).toBe(
      'keep, owed 2026-05-20 at 2026-05-20T00:00Z',
    );
  });

  it('keep what fell due before them and has no row yet', () => {
    const decision = plan({
      plannedAt: PLANNED.plannedAt,
      changes: [['2026-05-20T14:00:00Z', { zone: 'Mars/Olympus' }]],
      now: '2026-05-20T15:00:00Z',
    });
    expect(inWords(decision)).toBe('none, blocked 2026-05-20');
  });
});

describe('a plan made again', () => {
  it('changes nothing', () => {
    const now = '2026-03-01T00:00:00Z';
    expect(inWords(plan({ ...PLANNED, now }))).toBe('keep, 2026-05-20 at 2026-05-20T13:00Z');
  });

  it('follows a change of the tz database, even one that moves the instant into the past', () => {
    const byOldTz = row('2026-05-20', '2026-05-20T14:00:00Z');
    const wordsAt = (now: string) => inWords(plan({ ...PLANNED, open: byOldTz, now }));
    expect(wordsAt('2026-03-01T00:00:00Z')).toBe('keep, 2026-05-20 at 2026-05-20T13:00Z');
    expect(wordsAt('2026-05-20T13:30:00Z')).toBe('keep, owed 2026-05-20 at 2026-05-20T13:00Z');
    const planned = { plannedAt: '2026-05-20T13:15:00Z', now: '2026-05-20T13:30:00Z' };
    expect(inWords(plan({ open: byOldTz, ...planned }))).toBe(
      'keep, owed 2026-05-20 at 2026-05-20T13:00Z',
    );
  });

  it('follows a change of the local time', () => {
    const changes: Change[] = [['2026-03-01T00:00:00Z', { time: '18:30' }]];
    const decision = plan({ ...PLANNED, changes, now: '2026-03-01T00:00:01Z' });
    expect(inWords(decision)).toBe('keep, 2026-05-20 at 2026-05-20T22:30Z');
  });

  it('owes at once what a change of the local time moved into the past', () => {
    const changes: Change[] = [['2026-05-20T12:30:00Z', { time: '08:00' }]];
    const decision = plan({ ...PLANNED, changes, now: '2026-05-20T12:30:01Z' });
    expect(inWords(decision)).toBe('keep, owed 2026-05-20 at 2026-05-20T12:00Z');
  });

  it('says when the next occurrence takes the place of this one', () => {
    const { next } = plan({ ...PLANNED, now: '2026-03-01T00:00:00Z' });
    expect(next).toMatchObject({ supersededAt: Date.parse('2027-05-20T13:00:00Z') });
    const once = plan({ recurrence: 'once', date: '2026-05-20', now: '2026-03-01T00:00:00Z' });
    expect(once.next).toMatchObject({ supersededAt: null });
  });

  it('throws if an occasion has no inputs', () => {
    const input = inputOf({ now: '2026-03-01T00:00:00Z' });
    expect(() => decidePlan({ ...input, versions: [] })).toThrow(RangeError);
  });

  it.each([HOUR_MS, 30 * HOUR_MS])('respects a limit of %d ms', (limitMs) => {
    const at = (ms: number) => new Date(Date.parse('2026-05-20T13:00:00Z') + ms).toISOString();
    expect(inWords(plan({ ...PLANNED, limitMs, now: at(limitMs) }))).toContain('keep, owed');
    expect(inWords(plan({ ...PLANNED, limitMs, now: at(limitMs + 1) }))).toContain(
      'settle too_late',
    );
  });
});
