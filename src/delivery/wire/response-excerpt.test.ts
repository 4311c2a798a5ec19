import { expect, test } from 'vitest';

import { excerptOf, MAX_EXCERPT_BYTES } from './response-excerpt.ts';

const of = (text: string) => excerptOf(Buffer.from(text));

test('a response of at most one kilobyte is kept as it is', () => {
  expect(of('no such user')).toBe('no such user');
  expect(of('👩‍👩‍👧 ひな العربية')).toBe('👩‍👩‍👧 ひな العربية');
  expect(of('x'.repeat(MAX_EXCERPT_BYTES))).toHaveLength(MAX_EXCERPT_BYTES);
});

test('of a longer one, the beginning is kept, without half a character', () => {
  expect(of('x'.repeat(5000))).toHaveLength(MAX_EXCERPT_BYTES);
  expect(of(`x${'é'.repeat(2000)}`)).toBe(`x${'é'.repeat(511)}`);
});

test('control characters and line breaks become a space', () => {
  expect(of('a\u0000b\r\n\tc\u001b[31md\u007fe\u0085f\u2028g')).toBe('a b c [31md e f g');
});

test('so does a character that changes the direction of text', () => {
  expect(of('user \u202Etxt.exe\u202C \u2066x\u2069\u200F')).toBe('user  txt.exe   x');
});

test('an empty response is null; bytes that are not text are shown as such', () => {
  expect(of('')).toBeNull();
  expect(of(' \r\n\u0000 ')).toBeNull();
  expect(excerptOf(Uint8Array.of(0x1f, 0x8b, 0x08, 0xff))).toBe('\uFFFD \uFFFD');
});
