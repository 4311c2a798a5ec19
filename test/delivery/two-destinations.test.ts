/**
 * Two destinations of one dispatcher process, and of one worker: what happens to one does not
 * affect the other.
 */
import type { ServerResponse } from 'node:http';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { Webhook } from 'standardwebhooks';

import { createRedelivery } from '../../src/ledger/redelivery.ts';
import { createOccasionTypes } from '../../src/occasion-types/occasion-types.ts';
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { startDispatcherProcess } from '../support/dispatcher-process.ts';
import { HOUR, WITHIN } from '../support/dispatcher-fixture.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';
import { useDeliverFixture } from './deliver-fixture.ts';

const fixture = useDeliverFixture();
const { base } = fixture;

const CRM_SECRET = newWebhookSecret();
const HERD = 40;
const SLOTS = 4;

let crm: WebhookReceiver;
beforeEach(async () => {
  crm = await startWebhookReceiver();
});
afterEach(async () => {
  await crm.close();
  await base.rows.sql('truncate events.occasion_types');
});

/** A dispatcher process with a few slots for each destination. */
function dispatch(settings: Record<string, string> = {}) {
  return startDispatcherProcess(base.database.url, base.receiver.url, {
    WEBHOOK_URL_CRM: crm.url,
    WEBHOOK_SECRETS_CRM: CRM_SECRET,
    WEBHOOK_CONCURRENCY: String(SLOTS),
    ...settings,
  });
}

/** Changes a type's destination, as the API does. */
async function sendTo(type: string, destination: string): Promise<void> {
  const other = { deliveryTime: null, leapDayPolicy: null, lateLimitMs: null, whenLate: null };
  const types = createOccasionTypes(base.database.orm);
  await types.put(type, { message: null, ...other, destination });
}

/**
 * Due for a destination from the first moment on: no dispatcher sees it as another's. What is not
 * for the default one is of a type with the destination's name.
 */
async function due(count: number, destination: string): Promise<string[]> {
  const keys = await fixture.dueHerd(count, Date.now() + HOUR);
  if (destination === 'default') {
    await base.rows.sql(`update events.occurrences set ${DUE} where ${AMONG}`, among(keys));
    return keys;
  }
  await sendTo(destination, destination);
  const due = await base.rows.sql<{ key: string }>(
    `with added as (
       insert into users.occasions (id, user_id, type, date, recurrence, revision, created_at,
         updated_at, inputs_changed_at)
       select user_id, user_id, :destination::text, date, 'yearly', 1, inputs_at, inputs_at, inputs_at
       from events.occurrences where ${AMONG}
     ), occasions as (
       update events.occasions set type = :destination
       where type || ':' || id || ':2026' in (select jsonb_array_elements_text(:keys::jsonb))
     )
     update events.occurrences
     set key = replace(key, 'birthday', :destination), occasion_type = :destination,
       recurrence = 'yearly', destination = :destination, ${DUE}
     where ${AMONG} returning key`,
    { destination, ...among(keys) },
  );
  return due.map(({ key }) => key);
}

const AMONG = 'key = any (array(select jsonb_array_elements_text(:keys::jsonb)))';
const DUE = `due_at = now() - interval '1 second', next_attempt_at = now() - interval '1 second'`;
const among = (keys: readonly string[]) => ({ keys: JSON.stringify(keys) });

const idsAt = (receiver: WebhookReceiver) => receiver.received.map(({ id }) => id).toSorted();

/** The receiver accepts requests, and answers none until the test says so. */
function hang(receiver: WebhookReceiver): () => void {
  const open: ServerResponse[] = [];
  receiver.answer((response) => void open.push(response));
  return () => {
    receiver.answer((response) => void response.end());
    for (const response of open) response.end();
  };
}

describe('two destinations', () => {
  test('each get their own webhooks, signed with their own secrets', async () => {
    const own = await due(3, 'default');
    const crms = await due(3, 'crm');
    await dispatch();
    await expect.poll(() => base.countIn('COMPLETED'), WITHIN).toBe(6);
    expect(idsAt(base.receiver)).toEqual(own.toSorted());
    expect(idsAt(crm)).toEqual(crms.toSorted());
    const [webhook] = crm.received;
    const headers = webhook?.headers as Record<string, string>;
    expect(new Webhook(CRM_SECRET).verify(webhook?.rawBody ?? '', headers)).toEqual(webhook?.body);
  });

  test.each(['default', 'crm'])('are independent if %s hangs', async (name) => {
    const [hanging, serving] = name === 'crm' ? [crm, base.receiver] : [base.receiver, crm];
    const other = name === 'crm' ? 'default' : 'crm';
    const release = hang(hanging);
    const waits = await due(HERD, name);
    await dispatch();
    await expect.poll(() => hanging.received.length, WITHIN).toBe(SLOTS);
    const served = await due(HERD, other);
    await expect.poll(() => idsAt(serving), WITHIN).toEqual(served.toSorted());
    await expect.poll(() => base.countIn('COMPLETED'), WITHIN).toBe(HERD);
    expect(hanging.received).toHaveLength(SLOTS);
    // When it answers again, nothing was lost for it, or came twice.
    release();
    await expect.poll(() => base.countIn('COMPLETED'), WITHIN).toBe(2 * HERD);
    expect(idsAt(hanging)).toEqual(waits.toSorted());
  });

  test('are independent if one is paused', async () => {
    await due(3, 'crm');
    await base.control.pause('maintenance', 'crm');
    const served = await due(HERD, 'default');
    await dispatch();
    await expect.poll(() => base.countIn('COMPLETED'), WITHIN).toBe(HERD);
    expect(idsAt(base.receiver)).toEqual(served.toSorted());
    expect(crm.received).toEqual([]);
    await base.control.resume('crm');
    await expect.poll(() => crm.received.length, WITHIN).toBe(3);
  });

  test('are independent if one has a rate limit, or asks to slow down', async () => {
    await due(HERD, 'crm');
    crm.answer((response) => void response.writeHead(503).end());
    const served = await due(HERD, 'default');
    await dispatch({ WEBHOOK_MAX_PER_SECOND_CRM: '20' });
    await expect.poll(() => idsAt(base.receiver), WITHIN).toEqual(served.toSorted());
    const slowed = async () => (await base.control.findDestination('crm')).slowDown;
    await expect.poll(slowed, WITHIN).not.toBeNull();
    expect(await base.control.findDestination('default')).toMatchObject({
      slowDown: null,
      maxPerSecond: null,
    });
    expect(await base.control.findDestination('crm')).toMatchObject({ maxPerSecond: 20 });
  });
});

describe('a destination without settings', () => {
  test('waits, does not affect others, and is reported to have no dispatcher', async () => {
    await due(3, 'billing');
    const served = await due(HERD, 'default');
    await dispatch();
    await expect.poll(() => base.countIn('COMPLETED'), WITHIN).toBe(HERD);
    expect(idsAt(base.receiver)).toEqual(served.toSorted());
    const { each } = await base.control.countWaiting();
    expect(each.get('billing')).toMatchObject({ due: 3 });
    expect(await base.control.findDestination('billing')).toMatchObject({ dispatchers: 0 });
    expect(await base.control.findDestination('crm')).toMatchObject({ dispatchers: 1 });
  });

  test("makes the occasion's workflow say which setting is missing", async () => {
    const [key = ''] = await due(1, 'billing');
    const worker = await fixture.work();
    const { message } = await worker.refusal(key);
    expect(message).toBe('this worker has no destination "billing": set WEBHOOK_URL_BILLING');
    expect(await base.stateOf(key)).toBe('PENDING');
  });
});

describe('once its type has another destination', () => {
  /** Planned for the default destination, and due by now, with no replanner. */
  async function sentElsewhere(): Promise<string> {
    const [key = ''] = await due(1, 'default');
    await sendTo('birthday', 'crm');
    return key;
  }

  test('what was planned before goes only there, without an attempt at the old one', async () => {
    const key = await sentElsewhere();
    await dispatch();
    await expect.poll(() => base.stateOf(key), WITHIN).toBe('COMPLETED');
    expect(idsAt(crm)).toEqual([key]);
    expect(base.receiver.received).toEqual([]);
    expect(await base.rows.find(key)).toMatchObject({ attempts: 1 });
  });

  test('so does a waiting redelivery', async () => {
    const [key = ''] = await due(1, 'default');
    await base.rows.sql(
      `update events.occurrences set state = 'SKIPPED', reason = 'too_late', settled_at = now(),
         next_attempt_at = null`,
    );
    await createRedelivery(base.database.orm).redeliver(key, { force: false });
    await sendTo('birthday', 'crm');
    await dispatch();
    await expect.poll(() => base.stateOf(key), WITHIN).toBe('COMPLETED');
    expect(idsAt(crm)).toEqual([key]);
    expect(base.receiver.received).toEqual([]);
  });

  test("the occasion's workflow does not send it to the old one either", async () => {
    const key = await sentElsewhere();
    const worker = await fixture.work();
    const { message } = await worker.refusal(key);
    expect(message).toBe('this worker has no destination "crm": set WEBHOOK_URL_CRM');
    expect(base.receiver.received).toEqual([]);
    expect(await base.rows.find(key)).toMatchObject({ state: 'PENDING', attempts: 0 });
  });
});
