/** A type's own message, from the claim that comes after it was set. */
import { expect, test } from 'vitest';

import { createMessages } from '../../src/occasion-types/messages.ts';
import { createOccasionTypes } from '../../src/occasion-types/occasion-types.ts';
import { useDispatcherFixture, WITHIN } from '../support/dispatcher-fixture.ts';

const fixture = useDispatcherFixture();

const NOTHING_ELSE = {
  deliveryTime: null,
  leapDayPolicy: null,
  lateLimitMs: null,
  whenLate: null,
  destination: null,
};
const VALUES = { firstName: 'Ada', lastName: '', years: 36, date: '2026-05-20', data: null };

const setMessage = (message: string | null) =>
  createOccasionTypes(fixture.database.orm).put('birthday', { ...NOTHING_ELSE, message });

test('is what is sent, filled in for the user', async () => {
  await setMessage('{firstName}: {years} on {date}');
  const key = await fixture.planned(await fixture.rows.addUser(), Date.now());
  await fixture.dispatch();
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('COMPLETED');
  expect(fixture.receiver.received[0]?.body.message).toBe('Ada: 36 on 2026-05-20');
});

test('changes for a process that runs, within seconds, and back', async () => {
  const messages = createMessages(fixture.database.orm);
  const read = async () => {
    await messages.read(['birthday', 'reminder']);
    return messages.of('birthday')(VALUES);
  };
  await setMessage('one');
  await expect.poll(read, WITHIN).toBe('one');
  await setMessage('two');
  await expect.poll(read, WITHIN).toBe('two');
  await setMessage(null);
  await expect.poll(read, WITHIN).toBe("Hey, Ada it's your birthday");
});

test('that was written by hand, and is no template, is replaced by the one that is built in', async () => {
  await fixture.rows.sql("update events.occasion_types set message = 'Hey, {nobody'");
  const messages = createMessages(fixture.database.orm);
  await messages.read(['birthday']);
  expect(messages.of('birthday')(VALUES)).toBe("Hey, Ada it's your birthday");
});
