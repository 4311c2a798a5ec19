/** A type's own message, from the first claim after it was set. */
import { afterEach, expect, test } from 'vitest';

import { createOccasionTypes } from '../../src/occasion-types/occasion-types.ts';
import { useDispatcherFixture, WITHIN } from '../support/dispatcher-fixture.ts';

const fixture = useDispatcherFixture();
afterEach(() => fixture.rows.sql('truncate events.occasion_types'));

const NOTHING_ELSE = {
  deliveryTime: null,
  leapDayPolicy: null,
  lateLimitMs: null,
  whenLate: null,
  destination: null,
};

const setMessage = (message: string | null) =>
  createOccasionTypes(fixture.database.orm).put('birthday', { ...NOTHING_ELSE, message });

/** The message for a user who is due now. */
async function messageNow(): Promise<string | undefined> {
  const key = await fixture.planned(await fixture.rows.addUser(), Date.now());
  await expect.poll(() => fixture.stateOf(key), WITHIN).toBe('COMPLETED');
  return fixture.receiver.received.find(({ id }) => id === key)?.body.message;
}

test('is sent, filled in for the user', async () => {
  await setMessage('{firstName}: {years} on {date}');
  await fixture.dispatch();
  expect(await messageNow()).toBe('Ada: 36 on 2026-05-20');
});

test('changes for a running process with the next claim, and back', async () => {
  await fixture.dispatch();
  for (const message of ['one', 'two']) {
    await setMessage(message);
    expect(await messageNow()).toBe(message);
  }
  await setMessage(null);
  expect(await messageNow()).toBe("Hey, Ada Lovelace it's your birthday");
});

test('that was written by hand, and is not a template, is replaced by the built-in one', async () => {
  await setMessage('one');
  await fixture.rows.sql("update events.occasion_types set message = 'Hey, {nobody'");
  await fixture.dispatch();
  expect(await messageNow()).toBe("Hey, Ada Lovelace it's your birthday");
});
