/** What Temporal holds when it is given keys, on a real server: by workers, clients, and people. */
import { afterAll, beforeAll, expect, test } from 'vitest';

import { newPayloadKey, parsePayloadKeys } from '../../src/config/payload-keys.ts';
import { workflowId } from '../../src/domain/occurrence-key.ts';
import { SchedulerAwayError } from '../../src/events/scheduling.ts';
import { connectTemporal } from '../../src/temporal/connection.ts';
import { createNamespaceGuard } from '../../src/temporal/namespace-guard.ts';
import { createScheduler } from '../../src/temporal/scheduler.ts';
import { createWorker } from '../../src/worker/worker.ts';
import { statusQuery, type YearlyEventStatus } from '../../src/workflows/messages.ts';
import { ADA, createTestApi, type TestApi } from '../support/api.ts';
import { createPlanAndDeliver } from '../support/plan-and-deliver.ts';
import { freePort } from '../support/free-port.ts';
import { runProcess, runProgram } from '../support/process.ts';
import {
  findDevServerProgram,
  uniqueTaskQueue,
  useDevServer,
  useWorkflowBundle,
  type TestTemporal,
} from '../support/temporal.ts';

const OLD = newPayloadKey();
const NEW = newPayloadKey();
const TOKEN = 'a token of more than 22 characters';
const ORIGIN = 'http://127.0.0.1:8233';

let temporal: TestTemporal;
let api: TestApi;
const taskQueue = uniqueTaskQueue();
beforeAll(async () => {
  temporal = await useDevServer();
  api = await createTestApi();
});
afterAll(async () => {
  await temporal.close();
  await api.database.drop();
});

/** Everything that an installation with these keys does, while `work` goes on. */
async function withKeys(
  keys: string | undefined,
  work: (daybell: {
    follow(userId: string, revision: number): Promise<YearlyEventStatus>;
  }) => Promise<void>,
): Promise<void> {
  const connected = connectTemporal({
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_DEV_PORT: 0,
    TEMPORAL_TASK_QUEUE: taskQueue,
    TEMPORAL_PAYLOAD_KEYS: keys === undefined ? undefined : parsePayloadKeys(keys).keys,
  });
  const connection = await connected.connectWorker();
  const { client, dataConverter } = connected;
  const activities = createPlanAndDeliver(api.database.orm);
  const worker = await createWorker({
    connection,
    namespace: 'default',
    taskQueue,
    dataConverter,
    workflowBundle: await useWorkflowBundle(),
    activities,
  });
  const scheduler = createScheduler(client, taskQueue);
  await worker.runUntil(() =>
    work({
      async follow(userId, revision) {
        await scheduler.userChanged('birthday', { userId, revision });
        const workflow = client.workflow.getHandle(workflowId('birthday', userId));
        await expect
          .poll(() => workflow.query(statusQuery), { timeout: 60_000 })
          .toMatchObject({ revision, waitingFor: expect.stringMatching(/recheck|arming/) });
        return workflow.query(statusQuery);
      },
    }),
  );
  await connection.close();
  await connected.close();
}

async function createUser(): Promise<string> {
  return (await api.send('POST', '/v1/users', ADA)).body.id;
}

async function move(userId: string, timezone: string): Promise<void> {
  expect((await api.send('PATCH', `/v1/users/${userId}`, { timezone })).status).toBe(200);
}

/** The history as the server has it, each event as text, with its bytes once more as they are. */
async function rawEventsOf(userId: string): Promise<string[]> {
  const { events } = await temporal.client.workflow
    .getHandle(workflowId('birthday', userId))
    .fetchHistory();
  return (events ?? []).map((event) => withBytes(JSON.stringify(event)));
}

/** A text of JSON, and after it all that is in base64 there, as it is. */
function withBytes(text: string): string {
  const inBase64 = [...text.matchAll(/"([\w+/]+=*)"/g)].map(([, encoded = '']) => encoded);
  return [text, ...inBase64.map((encoded) => Buffer.from(encoded, 'base64'))].join('\n');
}

test('keys come, are changed and go, and whoever sleeps is woken by each', async () => {
  const first = await createUser();
  await withKeys(undefined, async ({ follow }) => {
    expect((await follow(first, 1)).timezone).toBe('Europe/London');
  });
  const inClear = await rawEventsOf(first);
  expect(inClear.join('\n')).toContain('Europe/London');

  const second = await createUser();
  await move(first, 'Asia/Tokyo');
  await withKeys(OLD, async ({ follow }) => {
    expect((await follow(first, 2)).timezone).toBe('Asia/Tokyo');
    expect((await follow(second, 1)).timezone).toBe('Europe/London');
  });
  const encrypted = (await rawEventsOf(second)).join('\n');
  // The id of the workflow is the server's own, and in the clear.
  expect(encrypted).toContain(`birthday/${second}`);
  for (const text of [
    'Europe/London',
    `birthday:${second}`,
    'fireAt',
    'revision',
    'Check the plan',
  ]) {
    expect(encrypted).not.toContain(text);
  }
  expect((await rawEventsOf(first)).slice(inClear.length).join('\n')).not.toContain('Asia/Tokyo');

  await move(first, 'Asia/Dubai');
  await move(second, 'Asia/Dubai');
  await withKeys(`${NEW},${OLD}`, async ({ follow }) => {
    expect((await follow(first, 3)).timezone).toBe('Asia/Dubai');
    expect((await follow(second, 2)).timezone).toBe('Asia/Dubai');
  });
  const [id = ''] = NEW.split(':');
  expect((await rawEventsOf(second)).at(-1)).toBeDefined();
  expect((await rawEventsOf(second)).join('\n')).toContain(id);

  await move(second, 'Africa/Abidjan');
  await withKeys(`none,${NEW},${OLD}`, async ({ follow }) => {
    expect((await follow(second, 3)).timezone).toBe('Africa/Abidjan');
  });
  expect((await rawEventsOf(second)).join('\n')).toContain('Africa/Abidjan');

  await seesWhatIsEncrypted(second);
});

/** Temporal's own command line, with and without the process `codec`. */
async function seesWhatIsEncrypted(userId: string): Promise<void> {
  const port = await freePort();
  const codec = runProcess('src/codec/main.ts', {
    TEMPORAL_PAYLOAD_KEYS: `${NEW},${OLD}`,
    CODEC_PORT: String(port),
    CODEC_TOKEN: TOKEN,
  });
  try {
    await codec.line(/"ready"/);
    const show = async (...more: string[]) => {
      const cli = runProgram(
        await findDevServerProgram(),
        [
          'workflow',
          'show',
          `--workflow-id=birthday/${userId}`,
          '--output=json',
          `--address=${temporal.address}`,
          '--disable-config-file',
          ...more,
        ],
        { settings: {} },
      );
      await cli.exited;
      return withBytes(cli.lines.join('\n'));
    };
    const plain = 'Europe/London';
    expect(await show()).not.toContain(plain);
    const endpoint = ['--codec-endpoint', `http://127.0.0.1:${port}`];
    expect(await show(...endpoint, '--codec-auth', `Bearer ${TOKEN}`)).toContain(plain);
    expect(await show(...endpoint, '--codec-auth', 'Bearer another')).not.toContain(plain);
  } finally {
    expect(await codec.stop()).toBe(0);
  }
}

function isAway(error: unknown): true {
  if (error instanceof SchedulerAwayError) return true;
  throw error;
}

test('a process that lacks the key is refused, by the name of the setting', async () => {
  const queue = uniqueTaskQueue();
  const check = async (keys: string | undefined) => {
    const connected = connectTemporal({
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_DEV_PORT: 0,
      TEMPORAL_TASK_QUEUE: queue,
      TEMPORAL_PAYLOAD_KEYS: keys === undefined ? undefined : parsePayloadKeys(keys).keys,
    });
    const guard = createNamespaceGuard(
      connected,
      async () => 'an-installation',
      () => {},
    );
    try {
      // Again, as a process does, while a busy server does not answer in time.
      while (await guard.check().then(() => false, isAway));
    } finally {
      await connected.close();
    }
  };
  await check(OLD);
  await check(`${NEW},${OLD}`);
  await expect(check(undefined)).rejects.toThrow('TEMPORAL_PAYLOAD_KEYS');
  await expect(check(NEW)).rejects.toThrow('TEMPORAL_PAYLOAD_KEYS');
});

test.for([
  ['without keys', {}, /TEMPORAL_PAYLOAD_KEYS: must be set/],
  [
    'beyond loopback without a token',
    { TEMPORAL_PAYLOAD_KEYS: OLD, CODEC_HOST: '0.0.0.0' },
    /CODEC_TOKEN: must be set for CODEC_HOST 0.0.0.0/,
  ],
  [
    'with an origin that is none',
    { TEMPORAL_PAYLOAD_KEYS: OLD, CODEC_ORIGINS: `${ORIGIN}/path` },
    /CODEC_ORIGINS: must be origins/,
  ],
] as const)('the codec endpoint does not start %s', async ([_what, settings, why]) => {
  const codec = runProcess('src/codec/main.ts', { CODEC_PORT: '0', ...settings });
  expect(await codec.exited).toBe(78);
  expect(codec.lines.join('\n')).toMatch(why);
});
