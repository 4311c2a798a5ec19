import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import pLimit from 'p-limit';

import { BIRTHDAY } from '../domain/event-type.ts';
import { occurrenceKey } from '../domain/occurrence-key.ts';
import type { ClaimedOccurrence, Recipient } from '../events/ports.ts';
import { describeError } from '../observability/describe-error.ts';
import type { Logger } from '../observability/logger.ts';
import type { Attempt } from './attempt.ts';

export interface RehearsalDeps {
  /** An attempt just like the real ones, but at this URL; `close` closes its connections. */
  readonly createAttempt: (url: string) => { readonly attempt: Attempt; close(): void };
  /** There is real work to do: the rehearsal is over. */
  readonly isBusy: () => boolean;
  readonly logger: Logger;
}

export interface Rehearsal {
  /** Resolves when it is over. Never rejects. */
  readonly ended: Promise<void>;
  /** Resolves when no more is sent. */
  stop(): Promise<void>;
}

/** By then, what sends a greeting is compiled: a fresh process takes three times as long for one. */
const GREETINGS = 1_500;
/** Few at a time: whatever else the machine does goes on. */
const CONCURRENCY = 4;

/**
 * Sends greetings to a receiver of this process's own, on loopback, so that the first herd
 * does not meet code that has never run. They are kept nowhere, and nobody else sees them.
 */
export function startRehearsal({ createAttempt, isBusy, logger }: RehearsalDeps): Rehearsal {
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

  const rehearse = async (): Promise<void> => {
    const server = createServer((request, response) => {
      request.resume().once('end', () => response.end());
    });
    try {
      await once(server.listen(0, '127.0.0.1'), 'listening');
      await send(server);
    } catch (error) {
      logger.warn({ error: describeError(error) }, 'could not rehearse: the first may be slower');
    } finally {
      server.close();
    }
  };

  const ended = rehearse();
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
  facts: { anchorDate: '1815-12-10', timezone: 'Europe/London' },
};

function claimOf(index: number): ClaimedOccurrence {
  const now = Date.now();
  return {
    key: occurrenceKey(BIRTHDAY, USER_ID, 2000 + index),
    fence: 1,
    eventType: BIRTHDAY,
    userId: USER_ID,
    year: 2000 + index,
    anchorDate: '1815-12-10',
    timezone: 'Europe/London',
    localDate: '2000-12-10',
    fireAt: now,
    attempt: 1,
    armedAttempt: 1,
    firstAttemptAt: now,
    late: false,
    redelivered: false,
    earlierAttempts: 0,
  };
}
