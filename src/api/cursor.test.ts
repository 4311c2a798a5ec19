import { expect, test } from 'vitest';

import { decodePlace, encodePlace } from './cursor.ts';

const KEY = 'birthday:0198f6a2-6c1e-7f5b-9d53-0a4b6c8d7e9f:2027';

test.each([null, 0, Date.UTC(1600, 1, 29), Date.UTC(9998, 11, 31)])(
  'a place at %s comes back as it went',
  (fireAt) => {
    expect(decodePlace(encodePlace({ fireAt, key: KEY }))).toEqual({ fireAt, key: KEY });
  },
);

test.each([-999_999_999_999_999, -253_402_214_400_000, 999_999_999_999_999])(
  'a place at %s, for which the database has no instant, is none of ours',
  (fireAt) => {
    expect(decodePlace(encodePlace({ fireAt, key: KEY }))).toBeNull();
  },
);
