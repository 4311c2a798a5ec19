import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import pLimit from 'p-limit';

import { BIRTHDAY, occurrenceKey } from '../ledger/occurrence-key.ts';
import type { ClaimedOccurrence } from '../ledger/types.ts';
import { describeError } from '../observability/describe-error.ts';
import type { Logger } from '../observability/logger.ts';
import type { Attempt } from './attempt.ts';
import type { Recipient } from './recipient.ts';

export interface WarmUpDeps {
  /** An attempt just like the real ones, but at this URL; `close` closes its connections. */
  readonly createAttempt: (url: string) => { readonly attempt: Attempt; close(): void };
  /** There is real work to do: the warm-up is over. */
  readonly isBusy: () => boolean;
  readonly logger: Logger;
}

export interface WarmUp {
  /** Resolves when it is over. Never rejects. */
  readonly ended: Promise<void>;
  /** Resolves when no more is sent. */
  stop(): Promise<void>;
}

/** By then, what sends a greeting is compiled: a fresh process takes three times as long for one. */
const GREETINGS = 1_500;
/** Few at a time: the machine has other work to do. */
const CONCURRENCY = 4;

/**
 * Sends greetings to a receiver of this process's own, on loopback, so that the first herd does
 * not meet code that has never run. They are kept nowhere, and leave the process nowhere else.
 */
export function startWarmUp({ createAttempt, isBusy, logger }: WarmUpDeps): WarmUp {
  let isStopping = false;

  const send = async (server: Server): Promise<void> => {
    const { port } = server.address() as AddressInfo;
    const { attempt, close } = createAttempt(`http://127.0.0.1:${port}/`);
    const greetings = Array.from({ length: GREETINGS }, (_, index) => index);
    await pLimit(CONCURRENCY).map(greetings, async (index) => {
      if (!isStopping && !isBusy()) await attempt(claimOf(index), RECIPIENT);
    });
    close();
  };

  const warmUp = async (): Promise<void> => {
    const server = createServer((request, response) => {
      request.resume().once('end', () => response.end());
    });
    try {
      await once(server.listen(0, '127.0.0.1'), 'listening');
      await send(server);
    } catch (error) {
      logger.warn({ error: describeError(error) }, 'could not warm up: the first may be slower');
    } finally {
      server.close();
    }
  };

  const ended = warmUp();
  return {
    ended,
    async stop() {
      isStopping = true;
      await ended;
    },
  };
}

const USER_ID = '00000000-0000-7000-8000-000000000000';

const RECIPIENT: Recipient = {
  userId: USER_ID,
  externalId: null,
  firstName: 'Ada',
  lastName: 'Lovelace',
  timezone: 'Europe/London',
  suspended: false,
  isAsPlanned: true,
};

function claimOf(index: number): ClaimedOccurrence {
  const nominalDate = `${2000 + index}-12-10`;
  return {
    key: occurrenceKey({ type: BIRTHDAY, id: USER_ID }, nominalDate),
    leaseToken: 1,
    occasionType: BIRTHDAY,
    occasionId: USER_ID,
    userId: USER_ID,
    nominalDate,
    date: '1815-12-10',
    timezone: 'Europe/London',
    localDate: nominalDate,
    dueAt: Date.now(),
    inputsAt: 0,
    supersededAt: null,
    attempt: 1,
    earlierAttempts: 0,
    firstAttemptAt: null,
    late: false,
    redelivered: false,
  };
}
