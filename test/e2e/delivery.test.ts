// @module-tag long
/**
 * `npm start` with a receiver of one's own, from new users to their greetings; and all that it has
 * said of them by then, at the most talkative log level, looked through for what nobody needs to know.
 */
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { dueInstants, type DueInstants } from '../support/instant-zones.ts';
import {
  type RunningDaybell,
  startDaybell,
  stillRunning,
  temporaryDataDir,
} from '../support/started-daybell.ts';
import { findDevServerProgram } from '../support/temporal.ts';
import { startTraceCollector, type TraceCollector } from '../support/trace-collector.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';
import {
  createUser,
  occurrenceThat,
  send,
  timersOf,
  until,
  workflowInWebUi,
} from './support/birthdays.ts';

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

let receiver: WebhookReceiver;
let collector: TraceCollector;
let instants: DueInstants;
let daybell: RunningDaybell;
/** The users whose names must not appear, and what Temporal stores about them. */
let users: string[];
let histories: string;
const cleanUps: (() => unknown)[] = [];
beforeAll(async () => {
  await findDevServerProgram();
  receiver = await startWebhookReceiver();
  // A receiver's response may quote what it was sent.
  receiver.answer((response, request) => {
    const status = { Refused: 422, Retried: 500 }[request.body.data.user?.lastName as string];
    const isFirst = request.headers['daybell-attempt'] === '1';
    response.statusCode = status === 500 && !isFirst ? 200 : (status ?? 200);
    response.end(JSON.stringify(request.body));
  });
  collector = await startTraceCollector();
  const dataDir = await temporaryDataDir((cleanUp) => void cleanUps.push(cleanUp));
  instants = dueInstants(dataDir);
  daybell = await startDaybell({
    DATA_DIR: dataDir,
    ...instants.settings,
    WEBHOOK_URL: withCredentials(receiver.url),
    WEBHOOK_SECRETS: SECRET,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    OTEL_TRACES_EXPORTER: 'otlp',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    LOG_LEVEL: 'trace',
    // The places to be searched must not be empty.
    ERASE_AFTER: '1d',
  });
}, 25 * 60_000);
afterAll(async () => {
  for (const cleanUp of cleanUps) await cleanUp();
  await receiver.close();
  await collector.close();
});

/** A date of birth that must not appear. */
function untoldDay(): string {
  return `${YEAR_OF_BIRTH}${instants.dateOfBirth.slice(4)}`;
}

function greetingsOf(userId: string) {
  return receiver.received.filter(({ body }) => body.data.user?.id === userId);
}

describe.concurrent('at the same instants', { timeout: 480_000 }, () => {
  test('a new user is greeted once, and moves and ends as the API is told', async ({ expect }) => {
    // A process that dies is replaced.
    const worker = daybell.process('worker');
    process.kill(worker.pid, 'SIGKILL');
    await daybell.terminal.line(/worker was killed by SIGKILL; restarting it in 1 s/);
    await daybell.terminal.line(/worker is back/);
    expect(daybell.process('worker').pid).not.toBe(worker.pid);

    const traceparent = `00-${TRACE}-b7ad6b7169203331-01`;
    const due = instants.next(20_000);
    const userId = await createUser(daybell, instants.dateOfBirth, {
      timezone: due.timezone,
      headers: { traceparent },
    });

    // While that instant comes: another user, far from the birthday, moves from UTC to Tokyo.
    const other = await createUser(daybell, monthsFrom(due.at, 6));
    const before = await occurrenceThat(daybell, other, ({ status }) => status === 'PENDING');
    // Moved before it has a workflow, it would get one for the new instant, and nothing to wake.
    const isThere = (): Promise<boolean> =>
      workflow().then(
        () => true,
        () => false,
      );
    await until(isThere);
    await send(daybell, 'PATCH', `/v1/users/${other}`, { timezone: 'Asia/Tokyo' });
    const after = await occurrenceThat(daybell, other, ({ dueAt }) => dueAt !== before.dueAt);
    const movedMs = Date.parse(after.dueAt) - Date.parse(before.dueAt);
    expect(movedMs).toBe(-9 * 3_600_000);

    // Its workflow was woken by the change, and sleeps until some seconds after the new instant.
    const [wakeAt = NaN] = await timers(1);
    expect(wakeAt - Date.parse(after.dueAt)).toBeGreaterThan(9_000);
    expect(wakeAt - Date.parse(after.dueAt)).toBeLessThan(60_000);

    await send(daybell, 'DELETE', `/v1/users/${other}`);
    await until(async () => (await workflow()).status === 'WORKFLOW_EXECUTION_STATUS_COMPLETED');

    await until(() => greetingsOf(userId).length > 0);
    const [greeting] = greetingsOf(userId);
    expect(greeting?.at).toBeGreaterThanOrEqual(due.at);
    const sent = {
      user: { id: userId, firstName: 'Ada' },
      occasion: { timezone: due.timezone },
      late: false,
    };
    expect(greeting?.body.data).toMatchObject(sent);
    const headers = greeting?.headers as Record<string, string>;
    expect(new Webhook(SECRET).verify(greeting?.rawBody ?? '', headers)).toEqual(greeting?.body);

    const delivered = await occurrenceThat(daybell, userId, ({ status }) => status === 'COMPLETED');
    expect(delivered).toMatchObject({ dueAt: new Date(due.at).toISOString() });
    expect(delivered.attempts).toHaveLength(1);
    // Next year is planned: whatever could send it again has had its chance.
    await occurrenceThat(daybell, userId, ({ status }) => status === 'PENDING');
    expect(greetingsOf(userId)).toHaveLength(1);

    // One trace, through every process: from what the receiver got to the parent of each span.
    const [, trace, last] = (headers['traceparent'] ?? '').split('-');
    expect(trace).toBe(TRACE);
    let parent: string | null = last ?? null;
    for (const [service, name] of WAY.toReversed()) {
      const child: string | null = parent;
      const span = await collector.span(
        name,
        (one) => one.service === service && isOurs(one) && one.spanId === child,
      );
      parent = span.parentSpanId;
    }
    expect(parent).toBe('b7ad6b7169203331');

    async function workflow() {
      return workflowInWebUi(daybell, other);
    }

    async function timers(count: number): Promise<number[]> {
      await until(async () => timersOf((await workflow()).events).length >= count);
      return timersOf((await workflow()).events);
    }
  });

  test('others are refused, greeted at the second attempt, and deleted', async ({ expect }) => {
    const born = { dateOfBirth: untoldDay(), timezone: instants.next(20_000).timezone };
    users = [
      await create({ firstName: 'Zaphodina', lastName: 'Beeblebroxova', ...born }),
      await create({ firstName: 'Zaphodina', lastName: 'Refused', ...born }),
      await create({ firstName: 'Trillianette', lastName: 'Retried', ...born }),
    ];
    await send(daybell, 'PATCH', `/v1/users/${users[2]}`, { firstName: 'Zaphodina' });
    const gone = await create({ firstName: 'Zaphodina', lastName: '', ...born });
    await send(daybell, 'DELETE', `/v1/users/${gone}`);
    const tooOld = { firstName: 'Slartibartfastovna', dateOfBirth: '1066-10-14' };
    await expect(create(tooOld)).rejects.toThrow('400');

    for (const [index, state] of ['COMPLETED', 'FAILED', 'COMPLETED'].entries()) {
      const userId = users[index] ?? '';
      await occurrenceThat(daybell, userId, ({ status }) => status === state);
      await occurrenceThat(daybell, userId, ({ status }) => status === 'PENDING');
    }
    histories = await historiesOf(daybell);
  });
});

test('it ends in order, and neither logs nor Temporal’s histories hold names, dates of birth, secrets or addresses with credentials', async () => {
  const processes = daybell.processes();
  expect(processes.map(({ name }) => name)).toContain('dispatcher');
  expect(await daybell.terminal.stop('SIGINT')).toBe(0);
  expect(stillRunning(processes)).toEqual([]);

  const logs = daybell.terminal.lines.join('\n');

  // The search works: what may appear is found.
  // A user who was deleted before a workflow was started never gets one, and may appear in none.
  for (const userId of users) expect(histories).toContain(userId);
  expect(logs.match(/"?attempt"?/g)?.length).toBeGreaterThanOrEqual(4);
  expect(receiver.received[0]?.headers.authorization).toBeDefined();
  for (const [what, text] of Object.entries({ ...UNTOLD, 'a date of birth': untoldDay() })) {
    expect(histories.includes(text), `${what} in a history`).toBe(false);
    const line = daybell.terminal.lines.find((each) => each.includes(text));
    expect(line, `${what} in a log`).toBeUndefined();
  }
});

function withCredentials(address: string): string {
  const url = new URL(address);
  url.username = 'hook-user';
  url.password = UNTOLD['a password of the destination'];
  url.searchParams.set('token', UNTOLD['a token of the destination']);
  return url.href;
}

async function create(fields: object): Promise<string> {
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

/** Everything that Temporal stores of every workflow, as text, with encoded content decoded. */
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

const TRACE = '0af7651916cd43dd8448eb211c80319c';
/** The processes that a greeting passes through, and each one's name for its part. */
const WAY = [
  ['daybell-api', 'POST /v1/users'],
  ['daybell-scheduler', 'plan'],
  ['daybell-dispatcher', 'POST'],
] as const;

function isOurs({ traceId }: { readonly traceId: string }): boolean {
  return traceId === TRACE;
}

/** A date of birth this many months from an instant's month, epoch ms, on the 15th. */
function monthsFrom(instant: number, months: number): string {
  const date = new Date(instant);
  const month = ((date.getUTCMonth() + months) % 12) + 1;
  return `1992-${String(month).padStart(2, '0')}-15`;
}
