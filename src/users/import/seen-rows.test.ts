import { expect, test } from 'vitest';

import { createSeenRows } from './seen-rows.ts';

test('of 20,000 keys, each is found with its first line, and whether its content was the same', () => {
  const seen = createSeenRows();
  for (let at = 1; at <= 20_000; at += 1) expect(seen.note(`key ${at}`, `${at}`, at)).toBeNull();
  for (let at = 1; at <= 20_000; at += 1) {
    expect(seen.note(`key ${at}`, `${at}`, 99_999)).toEqual({ line: at, isSame: true });
  }
  expect(seen.note('key 7', 'another', 99_999)).toEqual({ line: 7, isSame: false });
  expect(seen.has('key 20000')).toBe(true);
  expect(seen.has('key 20001')).toBe(false);
});
