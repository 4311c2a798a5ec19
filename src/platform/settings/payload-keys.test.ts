import { expect, test } from 'vitest';

import { newPayloadKey, payloadKeys } from './payload-keys.ts';
import { InvalidSettingsError, loadSettings } from './settings.ts';

const KEY = Buffer.alloc(32, 1).toString('base64');
const OTHER = Buffer.alloc(32, 2).toString('base64');

test('the first key encrypts, and all keys decrypt', () => {
  const keys = payloadKeys.parse(`2027:${OTHER}, 2026:${KEY}`);
  expect(keys.current?.id).toBe('2027');
  expect(keys.all.map(({ id }) => id)).toEqual(['2027', '2026']);
});

test('after «none», keys are known and nothing is encrypted', () => {
  const keys = payloadKeys.parse(`none,2026:${KEY}`);
  expect(keys.current).toBeNull();
  expect(keys.all.map(({ id }) => id)).toEqual(['2026']);
});

test('a new key is valid, and different from the last', () => {
  const made = newPayloadKey();
  expect(payloadKeys.parse(made).all).toHaveLength(1);
  expect(newPayloadKey()).not.toBe(made);
});

test.for([
  ['none', 'there is no key after none'],
  ['', 'key 1 of 1 must be an id, a colon'],
  [KEY, 'key 1 of 1 must be an id, a colon'],
  [`:${KEY}`, 'key 1 of 1 must have an id'],
  [`a b:${KEY}`, 'key 1 of 1 must have an id'],
  [`a:${KEY.replace('=', '')}`, 'key 1 of 1 must be standard base64'],
  [`a:${Buffer.alloc(16).toString('base64')}`, 'key 1 of 1 holds 16 bytes; must hold 32'],
  [`a:${KEY},a:${OTHER}`, 'key 2 of 2 has the same id as another'],
] as const)('«%s» is refused: %s', ([list, fault]) => {
  expect(payloadKeys.safeParse(list).error?.issues[0]?.message).toContain(fault);
});

test('the fault names the setting, and never the key', () => {
  const wrong = `a:${KEY}x`;
  const load = () => loadSettings({ TEMPORAL_PAYLOAD_KEYS: wrong });
  expect(load).toThrow(InvalidSettingsError);
  expect(load).toThrow(/TEMPORAL_PAYLOAD_KEYS: key 1 of 1/);
  expect(load).not.toThrow(new RegExp(KEY.slice(0, 20)));
});
