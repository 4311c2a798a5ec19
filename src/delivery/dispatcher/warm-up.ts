import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import pLimit from 'p-limit';

import { messageOf } from '../../occasion-types/built-in.ts';
import { DEFAULT_DESTINATION } from '../../platform/destination.ts';
import { describeError } from '../../platform/errors.ts';
import type { Logger } from '../../platform/logger.ts';
import { createLoop } from '../../platform/loop.ts';
import { createAttempt } from '../attempt.ts';
import { createHttpClient } from '../wire/http-client.ts';
import { createDestinationClient, type DestinationSettings } from '../wire/webhook-client.ts';

export interface WarmUpDeps {
  readonly settings: DestinationSettings;
  /** Whether there is real work to do: then the warm-up ends. */
  readonly isBusy: () => boolean;
  readonly logger: Logger;
  /** The pause between two warm-ups, in ms. */
  readonly everyMs?: number;
}

/**
 * By then, the code that sends a greeting is compiled: a fresh process takes three times as long.
 */
const GREETINGS = 1_500;
/** Few at a time: the machine has other work to do. */
const CONCURRENCY = 4;
/** Code that has not run for long must be compiled anew, so this repeats even if nothing is due. */
const EVERY_MS = 3_600_000;

/**
 * Sends to a receiver of this process's own, on loopback, at the start and every hour, so that a
 * herd does not meet code that has never run, or not for long. The ledger does not record these.
 */
export function startWarmUp({ settings, isBusy, logger, everyMs = EVERY_MS }: WarmUpDeps) {
  let sent = 0;

  const sendAll = async (port: number): Promise<void> => {
    const own = { WEBHOOK_URL: `http://127.0.0.1:${port}/`, WEBHOOK_ALLOW_PRIVATE: true };
    const limits = { maxSockets: CONCURRENCY };
    const client = createDestinationClient(createHttpClient, { ...settings, ...own }, limits);
    const attempt = createAttempt({
      client,
      sentBy: 'dispatcher',
      clock: Date.now,
      settings: { lateAfterMs: 0, giveUpAfterMs: 0 },
      logger: logger.child({}, { level: 'silent' }),
      tracing: null,
    });
    const keys = Array.from({ length: GREETINGS }, (_, index) => `warm-up:${index}`);
    await pLimit(CONCURRENCY).map(keys, async (key) => {
      if (loop.isStopping || isBusy()) return;
      const { status } = await attempt({ ...CLAIMED, key, dueAt: Date.now() }, RECIPIENT);
      if (status === 200) sent += 1;
    });
    client.close();
  };

  const warmUp = async (): Promise<number> => {
    const server = createServer((request, response) => {
      request.resume().once('end', () => response.end());
    });
    try {
      await once(server.listen(0, '127.0.0.1'), 'listening');
      await sendAll((server.address() as AddressInfo).port);
    } finally {
      server.close();
    }
    return everyMs;
  };

  const loop = createLoop(warmUp, (error) => {
    logger.warn(
      { error: describeError(error) },
      'could not warm up: the first sends will be slower',
    );
    return everyMs;
  });
  loop.start();
  return {
    /** How many were sent so far. */
    sent: () => sent,
    stop: loop.stop,
  };
}

const USER_ID = '00000000-0000-7000-8000-000000000000';

const RECIPIENT = {
  userId: USER_ID,
  externalId: null,
  firstName: 'Ada',
  lastName: 'Lovelace',
  timezone: 'Europe/London',
  occasion: {
    id: USER_ID,
    externalId: null,
    type: 'birthday',
    date: '1990-12-10',
    recurrence: 'birthday',
    data: null,
  },
  isOccasionGone: false,
  suspended: false,
  isAsPlanned: true,
  lateLimitMs: Infinity,
  destination: DEFAULT_DESTINATION,
  message: messageOf('birthday'),
};

const CLAIMED = {
  destination: DEFAULT_DESTINATION,
  leaseToken: 1,
  occasionType: 'birthday',
  occasionId: USER_ID,
  userId: USER_ID,
  nominalDate: '2026-12-10',
  date: '1990-12-10',
  timezone: RECIPIENT.timezone,
  recurrence: 'birthday',
  keptDate: '2026-12-10',
  localDate: '2026-12-10',
  inputsAt: 0,
  rulesId: 0,
  supersededAt: null,
  attempt: 1,
  earlierAttempts: 0,
  firstAttemptAt: null,
  late: false,
  redelivered: false,
};
