import { expect, test } from 'vitest';

import { occurrenceCursor, userCursor } from './common.ts';

const KEY = 'birthday:0198f6a2-6c1e-7f5b-9d53-0a4b6c8d7e9f:2027';

test.each([null, 0, Date.UTC(1600, 1, 29), Date.UTC(9998, 11, 31)])(
  'a place at %s survives encoding and decoding',
  (dueAt) => {
    expect(occurrenceCursor.decode(occurrenceCursor.encode({ dueAt, key: KEY }))).toEqual({
      dueAt,
      key: KEY,
    });
  },
);

test.each([-999_999_999_999_999, -253_402_214_400_000, 999_999_999_999_999])(
  'a place at %s, an instant that the database cannot store, is refused',
  (dueAt) => {
    expect(occurrenceCursor.decode(occurrenceCursor.encode({ dueAt, key: KEY }))).toBeNull();
  },
);

const ID = '0198f6a2-6c1e-7f5b-9d53-0a4b6c8d7e9f';

test.each(['0', '748', '18446744073709551615'.slice(0, 19)])(
  'a place of a user at %s survives encoding and decoding',
  (position) => {
    expect(userCursor.decode(userCursor.encode({ position, id: ID }))).toEqual({
      position,
      id: ID,
    });
  },
);

test.each([
  '',
  'x',
  userCursor.encode({ position: '-1', id: ID }),
  occurrenceCursor.encode({ dueAt: 0, key: KEY }),
  userCursor.encode({ position: '1', id: 'not-a-uuid' }),
])('an invalid place of a user is refused: %s', (cursor) => {
  expect(userCursor.decode(cursor)).toBeNull();
});
