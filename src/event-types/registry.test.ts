import { expect, test } from 'vitest';

import { birthday } from './birthday.ts';
import { registerEventTypes } from './registry.ts';

const message = () => 'Another year together';

test.each(['', 'Birthday', 'name-day', 'name:day', 'a'.repeat(41)])(
  '%j is no name: keys and workflow ids are made of it',
  (name) => {
    expect(() => registerEventTypes([{ ...birthday, name }])).toThrow(RangeError);
  },
);

test('a name is that of one event type', () => {
  expect(() => registerEventTypes([birthday, { ...birthday }])).toThrow(
    'There are two event types "birthday".',
  );
});

test('each part of Daybell is told what it needs of each type', () => {
  const anniversary = { name: 'anniversary', facts: { facts: 'select', history: null }, message };
  const types = registerEventTypes([birthday, anniversary]);
  expect(types.names).toEqual(['birthday', 'anniversary']);
  expect(types.facts).toEqual({ birthday: birthday.facts, anniversary: anniversary.facts });
  expect(types.messages).toEqual({ birthday: birthday.message, anniversary: message });
});
