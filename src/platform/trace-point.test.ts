import { describe, expect, test } from 'vitest';

import { continuesTrace, formatTraceparent, parseTraceparent } from './trace-point.ts';

const ID = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('a traceparent', () => {
  test('is read, and written as this version of the standard does', () => {
    const parsed = parseTraceparent(`00-${ID}-${SPAN}-01`);
    expect(parsed).toEqual({ traceId: ID, spanId: SPAN, flags: 1 });
    expect(parsed && formatTraceparent(parsed)).toBe(`00-${ID}-${SPAN}-01`);
  });

  test('of a later version may have more to it', () => {
    expect(parseTraceparent(`01-${ID}-${SPAN}-00-more`)).toMatchObject({ traceId: ID, flags: 0 });
  });

  test.each([
    ['none', null],
    ['words', 'yesterday'],
    ['an id of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a span of zeros', `00-${ID}-${'0'.repeat(16)}-01`],
    ['capitals', `00-${ID.toUpperCase()}-${SPAN}-01`],
    ['the version that is none', `ff-${ID}-${SPAN}-01`],
    ['something behind it', `00-${ID}-${SPAN}-01x`],
  ])('is not %s', (_what, text) => {
    expect(parseTraceparent(text)).toBeNull();
  });
});

test('a trace goes on for a day', () => {
  const DAY = 86_400_000;
  expect(continuesTrace({ traceparent: '', at: 0 }, DAY - 1)).toBe(true);
  expect(continuesTrace({ traceparent: '', at: 0 }, DAY)).toBe(false);
});
