/** Deliveries in the console: shown, paused and tested. */
import { beforeEach, describe, expect, test } from 'vitest';

import { type ApiKey, type Scope, SCOPES } from '../../src/access/api-key.ts';
import { hashToken } from '../../src/access/bearer.ts';
import type { WebhookCheckReport } from '../../src/delivery/webhook-check.ts';
import { createTestApi, useTestApi } from '../support/api.ts';
import { type ConsoleVisitor, visitConsole } from '../support/console.ts';
import { webhookTesterStub } from '../support/webhook-tester.ts';

const PAGE = 'http://localhost/console/deliveries';
const SCRIPT = '<script>alert(1)</script>';

const CHECKED: WebhookCheckReport = {
  startedAt: Date.UTC(2027, 4, 20, 9),
  passed: false,
  steps: [
    {
      step: 'good',
      sent: 'A good event',
      expected: 'accepted',
      webhookId: 'test:1',
      status: 200,
      errorCode: null,
      durationMs: 12,
      right: true,
      explanation: 'Accepted (200).',
    },
    {
      step: 'wrong-signature',
      sent: 'An event with a wrong signature',
      expected: 'refused',
      webhookId: 'test:2',
      status: 200,
      errorCode: null,
      durationMs: 9,
      right: false,
      explanation: 'Accepted (200), and it must not be.',
    },
  ],
  deduplicated: null,
  connection: { tlsVersion: 'TLSv1.3', keptAlive: true },
  advice: ['Verify the signature before anything else.'],
};

const api = useTestApi({
  webhookTesters: new Map([['default', webhookTesterStub(async () => CHECKED)]]),
  secretFingerprints: new Map([['default', ['3f1c9a02', '0011aaff']]]),
});
let visitor: ConsoleVisitor;
beforeEach(async () => {
  visitor = visitConsole(api.app);
  await api.sql('delete from events.destinations');
  await api.sql(
    `insert into events.destinations (id, max_per_second) values ('default', 20), ('crm', null)`,
  );
});

const stateOf = async (at: number) =>
  (await api.send('GET', '/v1/deliveries')).body.destinations[at];

describe('the page', () => {
  test('shows all destinations combined and each one, with limits, dispatchers and secrets', async () => {
    const page = await visitor.open(PAGE);
    expect(page.status).toBe(200);
    expect(page.text).toContain('All 2 destinations together');
    expect(page.text).toMatch(/default Sending .* 20 a second, all processes together/);
    expect(page.text).toContain('none : workflows send, one by one.');
    expect(page.text).toMatch(/3f1c9a02 , 0011aaff \(the newest first/);
    expect(page.text).toContain('the API process does not have the settings of this destination');
  });

  test('shows until when a receiver has slowed it down', async () => {
    await api.sql(
      `update events.destinations set slowed_since = '2027-05-20T09:00:00Z',
         slowed_until = now() + interval '1 hour', slowed_per_second = 5, slowed_stops = 1,
         slowed_changed_at = now(), slowed_ends_at = now() + interval '2 hours'
       where id = 'crm'`,
    );
    const page = await visitor.open(PAGE);
    expect(page.text).toMatch(/Slowed down since 2027-05-20T09:00:00Z .* then 5 requests a second/);
    await visitor.submit(page, '/console/deliveries/crm/resume');
    expect(await stateOf(1)).toMatchObject({ destination: 'crm', slowed: null });
  });
});

describe('a pause', () => {
  test('of one destination has a reason, ends by a resume, and both are in the log', async () => {
    const before = await visitor.open(PAGE);
    const paused = await visitor.submit(before, '/console/deliveries/crm/pause', {
      reason: SCRIPT,
    });
    expect(paused.path).toBe('/console/deliveries');
    expect(paused.text).toContain('Deliveries to crm are paused.');
    expect(paused.text).toContain(`: ${SCRIPT}. Nothing is sent, and nothing is lost.`);
    expect(paused.html).not.toContain(SCRIPT);
    expect(await stateOf(0)).toMatchObject({ destination: 'default', paused: false });
    expect(await stateOf(1)).toMatchObject({ pauseReason: SCRIPT });

    const resumed = await visitor.submit(paused, '/console/deliveries/crm/resume');
    expect(resumed.text).toContain('Deliveries to crm are resumed.');
    const again = await visitor.open(PAGE);
    expect(again.text).not.toContain('are resumed');
    expect(again.text).toMatch(/Resumed deliveries crm .* Paused deliveries crm reason:/);
  });

  test('of all is one button, and so is its end', async () => {
    const paused = await visitor.submit(await visitor.open(PAGE), '/console/deliveries/pause', {
      reason: ' ',
    });
    expect(paused.text).toContain('Deliveries to all destinations are paused.');
    expect(paused.text).toContain('no reason given');
    expect(await stateOf(1)).toMatchObject({ paused: true });
    const resumed = await visitor.submit(paused, '/console/deliveries/resume');
    expect(resumed.text).toContain('Deliveries to all destinations are resumed.');
    expect(await stateOf(0)).toMatchObject({ paused: false });
  });

  test('that began after the page was loaded is not ended by it', async () => {
    await api.sql(`update events.destinations set paused_at = '2027-05-20T09:00:00Z'`);
    const paused = await visitor.open(PAGE);
    await api.sql(
      `update events.destinations set paused_at = '2027-05-20T10:00:00Z', pause_reason = 'again'`,
    );
    for (const of of ['', '/crm']) {
      const page = await visitor.submit(paused, `/console/deliveries${of}/resume`);
      expect(page.status).toBe(409);
      expect(page.text).toContain('Now: paused since 2027-05-20T10:00:00.000Z: again.');
    }
    expect(await stateOf(1)).toMatchObject({ paused: true });
  });

  test('with a reason that breaks a rule is refused with the rule', async () => {
    const page = await visitor.submit(await visitor.open(PAGE), '/console/deliveries/pause', {
      reason: 'x'.repeat(201),
    });
    expect(page.status).toBe(400);
    expect(page.text).toMatch(/reason must have at most 200 code points/);
  });
});

describe('the receiver', () => {
  test('is sent a test event, and its response is shown', async () => {
    const page = await visitor.submit(await visitor.open(PAGE), '/console/deliveries/default/test');
    expect(page.path).toBe('/console/deliveries');
    expect(page.text).toContain('Test event to default: HTTP 204 after 0.04 s. Delivered.');
  });

  test('is checked, with each result and what to change', async () => {
    const page = await visitor.submit(
      await visitor.open(PAGE),
      '/console/deliveries/default/check',
    );
    expect(page.path).toMatch(/^\/console\/deliveries\/default\/check\//);
    expect(page.text).toContain('Not passed');
    expect((await visitor.open(page.path)).text).toBe(page.text);
    expect(page.text).toMatch(/A good event accepted HTTP 200 0.01 s correctly/);
    expect(page.text).toMatch(/wrong signature refused HTTP 200 0.01 s incorrectly/);
    expect(page.text).toContain('What to change Verify the signature before anything else.');
    expect((await visitor.open(PAGE)).text).toMatch(/Checked the receiver default .*passed: false/);
  });

  test('that this process does not know is reported in a sentence', async () => {
    const page = await visitor.submit(await visitor.open(PAGE), '/console/deliveries/crm/test');
    expect(page.status).toBe(409);
    expect(page.text).toContain('WEBHOOK_URL_CRM is not set for the API process.');
  });
});

test('a key that may not change anything is offered no action, and refused', async () => {
  const key = (name: string, scopes: readonly Scope[]): ApiKey => ({
    name,
    scopes,
    sha256: hashToken(name),
  });
  const keyed = await createTestApi({
    apiKeys: [key('reader', ['deliveries:read']), key('all', SCOPES)],
  });
  const reader = visitConsole(keyed.app);
  const form = await reader.open('/console/sign-in?next=/console/deliveries');
  const page = await reader.submit(form, '/console/sign-in', { key: 'reader' });
  expect(page.text).toContain('Sending');
  expect(page.html).not.toMatch(/action="\/console\/deliveries/);
  const [, csrf = ''] = /name="csrf" value="([^"]+)"/.exec(page.html) ?? [];
  const body = new URLSearchParams({ csrf });
  const refused = await reader.request('/console/deliveries/pause', { method: 'POST', body });
  expect(refused.status).toBe(403);
  expect(refused.text).toContain('This request requires the scope deliveries:write.');
  await keyed.database.drop();
});
