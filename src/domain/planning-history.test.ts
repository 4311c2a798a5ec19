import { describe, expect, it } from 'vitest';

import {
  NEW_YORK,
  planSince,
  row,
  settled,
  told,
  TOKYO,
  type Facts,
} from '../../test/domain/planning-support.ts';

/** 9:00 is at 13:00Z in New York and at 00:00Z in Tokyo. */
const MAY = '1990-05-20';

describe('S2 before the first plan: created, and moved to where 9:00 has passed, while planning was away', () => {
  const created = '2026-05-19T12:00:00Z';
  const history: Facts[] = [
    [MAY, NEW_YORK, created],
    [MAY, TOKYO, '2026-05-20T12:00:00Z'],
  ];

  it('is owed', () => {
    const decision = planSince(history, { created, now: '2026-05-20T12:30:00Z' });
    expect(told(decision)).toBe('none, 2026 at 2026-05-20T00:00Z');
  });

  it('is recorded as missed when that is too late by now, by the facts that it was due by', () => {
    const decision = planSince(history, { created, now: '2026-05-23T00:00:00Z' });
    expect(told(decision)).toBe('none missed 2026, 2027 at 2027-05-20T00:00Z');
    expect(decision.skipped).toMatchObject([{ facts: { dateOfBirth: MAY, timezone: TOKYO } }]);
  });

  it('is next year for somebody who was created after 9:00', () => {
    const later = '2026-05-20T14:00:00Z';
    const decision = planSince(
      [
        [MAY, NEW_YORK, later],
        [MAY, TOKYO, '2026-05-20T15:00:00Z'],
      ],
      { created: later, now: '2026-05-20T16:00:00Z' },
    );
    expect(told(decision)).toBe('none, 2027 at 2027-05-20T00:00Z');
  });
});

describe('several changes while planning was away', () => {
  const open = row(2026, NEW_YORK, '1990-09-01');

  it('owe a corrected day that came before the move', () => {
    const decision = planSince(
      [
        [MAY, NEW_YORK, '2026-05-10T00:00:00Z'],
        [MAY, TOKYO, '2026-05-20T14:00:00Z'],
      ],
      { open, now: '2026-05-20T15:00:00Z' },
    );
    expect(told(decision)).toBe('keep, 2026 at 2026-05-20T00:00Z');
  });

  it('owe nothing when the last correction was to a day that had passed', () => {
    const decision = planSince(
      [
        ['1990-09-01', TOKYO, '2026-05-10T00:00:00Z'],
        [MAY, TOKYO, '2026-05-20T14:00:00Z'],
      ],
      { open, now: '2026-05-20T15:00:00Z' },
    );
    expect(told(decision)).toBe('remove, 2027 at 2027-05-20T00:00Z');
  });

  it('owe nothing when the day passed while it was corrected away', () => {
    const decision = planSince(
      [
        ['1990-12-01', NEW_YORK, '2026-05-20T12:00:00Z'],
        [MAY, NEW_YORK, '2026-05-20T14:00:00Z'],
      ],
      { open: row(2026, NEW_YORK), now: '2026-05-20T15:00:00Z' },
    );
    expect(told(decision)).toBe('remove, 2027 at 2027-05-20T13:00Z');
  });

  it('bring back a day to come that was corrected away: S15 in one plan', () => {
    const decision = planSince(
      [
        ['1990-03-01', NEW_YORK, '2026-07-01T00:00:00Z'],
        ['1990-12-01', NEW_YORK, '2026-07-02T00:00:00Z'],
      ],
      { open: row(2026, NEW_YORK, '1990-12-01'), now: '2026-07-03T00:00:00Z' },
    );
    expect(told(decision)).toBe('keep, 2026 at 2026-12-01T14:00Z');
  });

  it('bring back an earlier year, whose day has come since', () => {
    const decision = planSince(
      [
        [MAY, 'Pacific/Honolulu', '2026-05-20T14:30:00Z'],
        [MAY, TOKYO, '2026-05-20T20:00:00Z'],
      ],
      { created: '2026-05-20T14:00:00Z', open: row(2027, NEW_YORK), now: '2026-05-20T21:00:00Z' },
    );
    expect(told(decision)).toBe('remove, 2026 at 2026-05-20T00:00Z');
  });

  it('do not burn a year that was too late in between, and that nobody recorded', () => {
    const decision = planSince(
      [
        [MAY, TOKYO, '2026-05-24T00:00:00Z'],
        ['1990-06-10', TOKYO, '2026-05-25T00:00:00Z'],
      ],
      { open: row(2026, NEW_YORK), now: '2026-05-26T00:00:00Z' },
    );
    expect(told(decision)).toBe('keep, 2026 at 2026-06-10T00:00Z');
  });

  it('SKIP a row that was tried only if its last day had passed too', () => {
    const tried = row(2026, NEW_YORK, MAY, 2);
    const corrected: Facts = ['1990-05-19', NEW_YORK, '2026-05-20T14:00:00Z'];
    const toldFor = (born: string) =>
      told(
        planSince([corrected, [born, NEW_YORK, '2026-05-20T15:00:00Z']], {
          open: tried,
          now: '2026-05-20T16:00:00Z',
        }),
      );
    expect(toldFor('1990-05-18')).toBe('skip date_changed, 2027 at 2027-05-18T13:00Z');
    expect(toldFor('1990-06-01')).toBe('keep, 2026 at 2026-06-01T13:00Z');
  });

  it('pass over facts that could not have been planned', () => {
    const decision = planSince(
      [
        [MAY, 'Mars/Olympus', '2026-05-20T12:00:00Z'],
        [MAY, TOKYO, '2026-05-20T12:30:00Z'],
      ],
      { open: row(2026, NEW_YORK), now: '2026-05-20T12:31:00Z' },
    );
    expect(told(decision)).toBe('keep, 2026 at 2026-05-20T00:00Z');
  });

  it('block the row when the last of them cannot be planned', () => {
    const decision = planSince(
      [
        [MAY, TOKYO, '2026-05-20T12:00:00Z'],
        [MAY, 'Mars/Olympus', '2026-05-20T12:30:00Z'],
      ],
      { open: row(2026, NEW_YORK), now: '2026-05-20T12:31:00Z' },
    );
    expect(told(decision)).toBe('keep, blocked 2026');
  });

  it('are planned also when the clock that dated them is ahead', () => {
    const decision = planSince(
      [
        [MAY, TOKYO, '2026-05-20T12:00:01Z'],
        [MAY, 'Asia/Seoul', '2026-05-20T12:00:02Z'],
      ],
      { open: row(2026, NEW_YORK), now: '2026-05-20T12:00:00Z' },
    );
    expect(told(decision)).toBe('keep, 2026 at 2026-05-20T00:00Z');
  });
});

describe('changes since an occurrence was settled, with planning away ever since', () => {
  const final = [settled(2026, NEW_YORK)];

  it('owe the next year’s, when that had passed where the user moved to', () => {
    const decision = planSince(
      [
        [MAY, NEW_YORK, '2026-01-01T00:00:00Z'],
        [MAY, TOKYO, '2027-05-20T12:00:00Z'],
      ],
      { final, now: '2027-05-20T12:30:00Z' },
    );
    expect(told(decision)).toBe('none, 2027 at 2027-05-20T00:00Z');
  });

  it('never owe the settled one again', () => {
    const decision = planSince(
      [
        [MAY, NEW_YORK, '2026-01-01T00:00:00Z'],
        [MAY, 'Pacific/Honolulu', '2026-05-20T14:00:00Z'],
        ['1990-05-21', 'Pacific/Honolulu', '2026-05-20T15:00:00Z'],
      ],
      { final, now: '2026-05-20T16:00:00Z' },
    );
    expect(told(decision)).toBe('none, 2027 at 2027-05-21T19:00Z');
  });
});
