// @module-tag long
/** A whole run at the most talkative log level, looked through for what nobody needs to know. */
import { beforeAll, expect, onTestFinished, test } from 'vitest';

import { findDevServerProgram } from '../support/temporal.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';
import { occurrenceThat, send } from './support/birthdays.ts';
import { dueInstants } from '../support/instant-zones.ts';
import { startDaybell, temporaryDataDir, type RunningDaybell } from '../support/started-daybell.ts';

beforeAll(findDevServerProgram, 25 * 60_000);

const SECRET = `whsec_${Buffer.from('a secret that nobody should see!').toString('base64')}`;
const YEAR_OF_BIRTH = '1904';
const UNTOLD = {
  'a first name': 'Zaphodina',
  'a last name': 'Beeblebroxova',
  'a name before it was changed': 'Trillianette',
  'a name that was refused': 'Slartibartfastovna',
  'a password of the destination': 'hook-password',
  'a token of the destination': 'hook-token',
  'a secret': SECRET.slice('whsec_'.length),
  'an idempotency key': 'idempotent-by-me',
} as const;

test(
  'neither logs nor Temporal’s histories hold names, dates of birth, secrets or addresses with credentials',
  { timeout: 480_000 },
  async () => {
    const receiver = await startWebhookReceiver();
    onTestFinished(() => receiver.close());
    // What a receiver answers may quote what it was sent.
    receiver.answer((response, request) => {
      const status = { Refused: 422, Retried: 500 }[request.body.data.lastName as string];
      const isFirst = request.headers['daybell-attempt'] === '1';
      response.statusCode = status === 500 && !isFirst ? 200 : (status ?? 200);
      response.end(JSON.stringify(request.body));
    });
    const dataDir = await temporaryDataDir();
    const due = dueInstants(dataDir);
    const daybell = await startDaybell({
      DATA_DIR: dataDir,
      ...due.settings,
      WEBHOOK_URL: withCredentials(receiver.url),
      WEBHOOK_SECRETS: SECRET,
      WEBHOOK_ALLOW_PRIVATE: 'true',
      LOG_LEVEL: 'trace',
      // What is looked through is to be there.
      ERASE_AFTER: '1d',
    });
    const dateOfBirth = `${YEAR_OF_BIRTH}${due.dateOfBirth.slice(4)}`;
    const born = { dateOfBirth, timezone: due.next(20_000).timezone };
    const users = [
      await create(daybell, { firstName: 'Zaphodina', lastName: 'Beeblebroxova', ...born }),
      await create(daybell, { firstName: 'Zaphodina', lastName: 'Refused', ...born }),
      await create(daybell, { firstName: 'Trillianette', lastName: 'Retried', ...born }),
    ];
    await send(daybell, 'PATCH', `/v1/users/${users[2]}`, { firstName: 'Zaphodina' });
    const gone = await create(daybell, { firstName: 'Zaphodina', lastName: '', ...born });
    await send(daybell, 'DELETE', `/v1/users/${gone}`);
    const tooOld = { firstName: 'Slartibartfastovna', dateOfBirth: '1066-10-14' };
    await expect(create(daybell, tooOld)).rejects.toThrow('400');

    for (const [index, state] of ['COMPLETED', 'FAILED', 'COMPLETED'].entries()) {
      const userId = users[index] ?? '';
      await occurrenceThat(daybell, userId, ({ status }) => status === state);
      await occurrenceThat(daybell, userId, ({ status }) => status === 'PENDING');
    }
    const histories = await historiesOf(daybell);
    await daybell.terminal.stop('SIGINT');
    const logs = daybell.terminal.lines.join('\n');

    // Proof that the search works: what may be shown is found.
    // Who was deleted before a workflow was started never gets one, and may be in none.
    for (const userId of users) expect(histories).toContain(userId);
    expect(logs.match(/"?attempt"?/g)?.length).toBeGreaterThanOrEqual(4);
    expect(receiver.received[0]?.headers.authorization).toBeDefined();
    for (const [what, text] of Object.entries({ ...UNTOLD, 'a date of birth': dateOfBirth })) {
      expect(histories.includes(text), `${what} in a history`).toBe(false);
      const line = daybell.terminal.lines.find((each) => each.includes(text));
      expect(line, `${what} in a log`).toBeUndefined();
    }
  },
);

function withCredentials(address: string): string {
  const url = new URL(address);
  url.username = 'hook-user';
  url.password = UNTOLD['a password of the destination'];
  url.searchParams.set('token', UNTOLD['a token of the destination']);
  return url.href;
}

async function create(daybell: RunningDaybell, fields: object): Promise<string> {
  const response = await fetch(`${daybell.url}/v1/users`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'idempotency-key': `${UNTOLD['an idempotency key']}-${JSON.stringify(fields).length}`,
    },
    body: JSON.stringify({ firstName: 'Zaphodina', lastName: '', timezone: 'UTC', ...fields }),
  });
  if (!response.ok) throw new Error(String(response.status));
  return ((await response.json()) as { id: string }).id;
}

/** All that Temporal keeps of every workflow, as text, with what is encoded in it decoded. */
async function historiesOf(daybell: RunningDaybell): Promise<string> {
  const namespace = `${daybell.webUi}/api/v1/namespaces/default`;
  const list = await read(`${namespace}/workflows?pageSize=1000`);
  const texts = [textOf(list)];
  for (const { execution } of list.executions) {
    const { workflowId, runId } = execution;
    const workflow = `${namespace}/workflows/${encodeURIComponent(workflowId)}`;
    texts.push(textOf(await read(`${workflow}?execution.runId=${runId}`)));
    texts.push(textOf(await read(`${workflow}/history?execution.runId=${runId}`)));
  }
  return texts.join('\n');
}

// The shape is the server's.
// oxlint-disable-next-line typescript/no-explicit-any
async function read(url: string): Promise<any> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.json();
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return `${value}\n${Buffer.from(value, 'base64').toString()}`;
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([name, each]) => `${name}: ${textOf(each)}`)
    .join('\n');
}
