/**
 * What Temporal stores when keys are configured, on a real server: from workers, clients, and
 * people.
 */
import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { newPayloadKey, payloadKeys } from '../../src/platform/settings/payload-keys.ts';
import { BIRTHDAY, workflowId } from '../../src/ledger/occurrence-key.ts';
import { connectTemporal } from '../../src/platform/temporal/connection.ts';
import { TemporalAwayError } from '../../src/platform/temporal/errors.ts';
import { createNamespaceGuard } from '../../src/platform/temporal/namespace-guard.ts';
import type { OwnedOccasion } from '../../src/ledger/types.ts';
import { createOccasionWorkflows } from '../../src/workflows/occasion-client.ts';
import { createWorker } from '../../src/worker/worker.ts';
import { statusQuery } from '../../src/workflows/contract.ts';
import { asleepUntil } from '../support/deliver-answers.ts';
import { freePort } from '../support/free-port.ts';
import { runProcess, runProgram } from '../support/process.ts';
import {
  findDevServerProgram,
  uniqueTaskQueue,
  useDevServer,
  useWorkflowBundle,
  type TestTemporal,
} from '../support/temporal.ts';

const YEAR = 365 * 86_400_000;
const OLD = newPayloadKey();
const NEW = newPayloadKey();
const TOKEN = 'a-token-of-more-than-22-characters';
const ORIGIN = 'http://127.0.0.1:8233';

let temporal: TestTemporal;
const taskQueue = uniqueTaskQueue();
beforeAll(async () => {
  temporal = await useDevServer();
});
afterAll(async () => {
  await temporal.close();
});

/** A worker of an installation with these keys, with a fake deliver, while `work` runs. */
async function withKeys(
  keys: string | undefined,
  work: (daybell: {
    /**
     * Makes the occasion's workflow check again; resolves when it sleeps until the answer's
     * instant.
     */
    look(occasion: OwnedOccasion, wakeAt: number): Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const connected = connectTemporal({
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_DEV_PORT: 0,
    TEMPORAL_TASK_QUEUE: taskQueue,
    TEMPORAL_PAYLOAD_KEYS: keys === undefined ? undefined : payloadKeys.parse(keys),
  });
  const connection = await connected.connectWorker();
  const { client, dataConverter } = connected;
  const wakes = new Map<string, number>();
  const worker = await createWorker({
    connection,
    namespace: 'default',
    taskQueue,
    dataConverter,
    workflowBundle: await useWorkflowBundle(),
    activities: {
      deliver: async ({ id }) => ({
        ...asleepUntil(wakes.get(id) ?? 0),
        next: { occurrenceKey: `birthday:${id}:2027`, dueAt: wakes.get(id) ?? 0 },
      }),
    },
  });
  const workflows = createOccasionWorkflows(client, taskQueue);
  await worker.runUntil(() =>
    work({
      async look(occasion, wakeAt) {
        wakes.set(occasion.id, wakeAt);
        await workflows.lookAgain(occasion);
        const workflow = client.workflow.getHandle(workflowId(occasion));
        await expect
          .poll(() => workflow.query(statusQuery), { timeout: 60_000 })
          .toMatchObject({ waitingFor: 'instant', answer: { wakeAt } });
      },
    }),
  );
  await connection.close();
  await connected.close();
}

function newOccasion(): OwnedOccasion {
  const id = randomUUID();
  return { type: BIRTHDAY, id, userId: id };
}

/** The server's history, each event as text, with its raw bytes appended. */
async function rawEventsOf(occasion: OwnedOccasion): Promise<string[]> {
  const { events } = await temporal.client.workflow.getHandle(workflowId(occasion)).fetchHistory();
  return (events ?? []).map((event) => withBytes(JSON.stringify(event)));
}

/** A JSON text, followed by its decoded base64 content. */
function withBytes(text: string): string {
  const inBase64 = [...text.matchAll(/"([\w+/]+=*)"/g)].map(([, encoded = '']) => encoded);
  return [text, ...inBase64.map((encoded) => Buffer.from(encoded, 'base64'))].join('\n');
}

test('keys can be added, changed and removed, and sleeping workflows wake with each', async () => {
  const [first, second] = [newOccasion(), newOccasion()];
  const wakeAt = Date.now() + YEAR;
  await withKeys(undefined, async ({ look }) => look(first, wakeAt));
  const inClear = await rawEventsOf(first);
  expect(inClear.join('\n')).toContain(`birthday:${first.id}:2027`);

  await withKeys(OLD, async ({ look }) => {
    await look(first, wakeAt + 1);
    await look(second, wakeAt);
  });
  const encrypted = (await rawEventsOf(second)).join('\n');
  // The id of the workflow is the server's own, and in the clear.
  expect(encrypted).toContain(`birthday/${second.id}`);
  for (const text of [`birthday:${second.id}`, 'wakeAt', 'occurrenceKey', 'See what is due']) {
    expect(encrypted).not.toContain(text);
  }
  const since = (await rawEventsOf(first)).slice(inClear.length).join('\n');
  expect(since).not.toContain(String(wakeAt + 1));

  await withKeys(`${NEW},${OLD}`, async ({ look }) => {
    await look(first, wakeAt + 2);
    await look(second, wakeAt + 2);
  });
  const [id = ''] = NEW.split(':');
  expect((await rawEventsOf(second)).join('\n')).toContain(id);

  await withKeys(`none,${NEW},${OLD}`, async ({ look }) => look(second, wakeAt + 3));
  expect((await rawEventsOf(second)).join('\n')).toContain(String(wakeAt + 3));

  await seesWhatIsEncrypted(second, String(wakeAt));
});

/** Temporal's own command line, with and without the process `codec`. */
async function seesWhatIsEncrypted({ id }: OwnedOccasion, plain: string): Promise<void> {
  const port = await freePort();
  const codec = runProcess('src/platform/codec/main.ts', {
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
          `--workflow-id=birthday/${id}`,
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
    const isIn = new RegExp(`\\b${plain}\\b`);
    expect(await show()).not.toMatch(isIn);
    const endpoint = ['--codec-endpoint', `http://127.0.0.1:${port}`];
    expect(await show(...endpoint, '--codec-auth', `Bearer ${TOKEN}`)).toMatch(isIn);
    expect(await show(...endpoint, '--codec-auth', 'Bearer another')).not.toMatch(isIn);
  } finally {
    expect(await codec.stop()).toBe(0);
  }
}

function isAway(error: unknown): true {
  if (error instanceof TemporalAwayError) return true;
  throw error;
}

test('a process that lacks the key is refused, with the name of the setting', async () => {
  const queue = uniqueTaskQueue();
  const check = async (keys: string | undefined) => {
    const connected = connectTemporal({
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_DEV_PORT: 0,
      TEMPORAL_TASK_QUEUE: queue,
      TEMPORAL_PAYLOAD_KEYS: keys === undefined ? undefined : payloadKeys.parse(keys),
    });
    const guard = createNamespaceGuard(
      connected,
      async () => 'an-installation',
      () => {},
    );
    try {
      // Retried, like a process does, while a busy server does not answer in time.
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
  const codec = runProcess('src/platform/codec/main.ts', { CODEC_PORT: '0', ...settings });
  expect(await codec.exited).toBe(78);
  expect(codec.lines.join('\n')).toMatch(why);
});
