import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import pLimit from 'p-limit';

import { describeError } from '../../platform/errors.ts';
import type { Logger } from '../../platform/logger.ts';
import { greetingBody } from '../greeting.ts';
import { createHttpClient } from '../wire/http-client.ts';
import { createDestinationClient, type DestinationSettings } from '../wire/webhook-client.ts';

export interface WarmUpDeps {
  readonly settings: DestinationSettings;
  /** There is real work to do: the warm-up is over. */
  readonly isBusy: () => boolean;
  readonly logger: Logger;
}

/** By then, what sends a greeting is compiled: a fresh process takes three times as long for one. */
const GREETINGS = 1_500;
/** Few at a time: the machine has other work to do. */
const CONCURRENCY = 4;

/**
 * Posts signed greetings to a receiver of this process's own, on loopback, so that the first herd
 * does not meet code that has never run.
 */
export function startWarmUp({ settings, isBusy, logger }: WarmUpDeps) {
  let sent = 0;
  let isStopping = false;

  const sendAll = async (port: number): Promise<void> => {
    const own = { WEBHOOK_URL: `http://127.0.0.1:${port}/`, WEBHOOK_ALLOW_PRIVATE: true };
    const client = createDestinationClient(
      createHttpClient,
      { ...settings, ...own },
      { maxSockets: CONCURRENCY },
    );
    const ids = Array.from({ length: GREETINGS }, (_, index) => `warm-up:${index}`);
    await pLimit(CONCURRENCY).map(ids, async (id) => {
      if (isStopping || isBusy()) return;
      const sentAt = Date.now();
      const body = JSON.stringify(greetingAt(sentAt, id));
      const { status } = await client.post({ id, sentAt, attempt: 1, latenessMs: 0, body });
      if (status === 200) sent += 1;
    });
    client.close();
  };

  const warmUp = async (): Promise<void> => {
    const server = createServer((request, response) => {
      request.resume().once('end', () => response.end());
    });
    try {
      await once(server.listen(0, '127.0.0.1'), 'listening');
      await sendAll((server.address() as AddressInfo).port);
    } catch (error) {
      logger.warn({ error: describeError(error) }, 'could not warm up: the first may be slower');
    } finally {
      server.close();
    }
  };

  const ended = warmUp();
  return {
    /** Resolves with how many were sent when it is over. Never rejects. */
    ended: ended.then(() => sent),
    async stop(): Promise<void> {
      isStopping = true;
      await ended;
    },
  };
}

function greetingAt(dueAt: number, occurrenceKey: string) {
  return greetingBody({
    occasionType: 'birthday',
    occurrenceKey,
    recipient: {
      userId: '00000000-0000-7000-8000-000000000000',
      externalId: null,
      firstName: 'Ada',
      lastName: 'Lovelace',
      timezone: 'Europe/London',
    },
    localDate: '2026-12-10',
    dueAt,
    late: false,
  });
}
