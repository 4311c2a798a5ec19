/** How every contender greets a due user: the same body, signed, with the same client. */
import pLimit from 'p-limit';
import { Webhook } from 'standardwebhooks';
import { v7 as uuidv7 } from 'uuid';

import { webhookBody } from '../../src/delivery/webhook-body.ts';
import { messageOf } from '../../src/occasion-types/built-in.ts';
import { BIRTHDAY, occurrenceKey } from '../../src/ledger/occurrence-key.ts';
import { createWebhookClient } from './got-client.ts';

/** A user in the form in which contenders store one. */
export interface BenchUser {
  readonly id: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly timezone: string;
}

export interface Greeter {
  /** Posts the greeting; rejects if it was not accepted. */
  greet(user: BenchUser, dueAt: number): Promise<void>;
  /** As many at a time as there are connections. */
  greetAll(users: readonly BenchUser[], dueAt: number): Promise<PromiseSettledResult<void>[]>;
  close(): void;
}

/** The same number as a dispatcher's. */
export const SOCKETS = Number(process.env['WEBHOOK_CONCURRENCY'] ?? 64);
const TIMEOUT_MS = 15_000;

export function createGreeter(webhookUrl: string, webhookSecret: string): Greeter {
  const webhook = new Webhook(webhookSecret);
  const client = createWebhookClient({
    url: webhookUrl,
    timeoutMs: TIMEOUT_MS,
    maxSockets: SOCKETS,
    allowPrivate: true,
    sign: (id, timestamp, body) => ({
      'webhook-signature': webhook.sign(id, new Date(timestamp * 1000), body),
    }),
  });
  const limit = pLimit(SOCKETS);

  const greet = async (user: BenchUser, dueAt: number): Promise<void> => {
    const { key, body } = greetingOf(user, dueAt);
    const sentAt = Date.now();
    const { status, errorCode } = await client.post({
      id: key,
      sentAt,
      attempt: 1,
      latenessMs: sentAt - dueAt,
      body,
    });
    if (status === null || status >= 300) throw new Error(`not accepted: ${status ?? errorCode}`);
  };

  return {
    greet,
    greetAll: (users, dueAt) =>
      Promise.allSettled(users.map((user) => limit(() => greet(user, dueAt)))),
    close: client.close,
  };
}

const YEAR_OF_BIRTH = 1990;

/** The greeting of a user, and its id. */
export function greetingOf(user: BenchUser, dueAt: number): { key: string; body: string } {
  const { id, timezone, ...names } = user;
  const localDate = new Date(dueAt).toISOString().slice(0, 10);
  const key = occurrenceKey({ type: BIRTHDAY, id }, localDate, BIRTHDAY);
  const date = `${YEAR_OF_BIRTH}${localDate.slice(4)}`;
  const occasion = { id, type: BIRTHDAY, date, recurrence: BIRTHDAY, externalId: null, data: null };
  const body = webhookBody({
    claimed: {
      key,
      occasionType: BIRTHDAY,
      nominalDate: localDate,
      date,
      timezone,
      keptDate: localDate,
      recurrence: BIRTHDAY,
      dueAt,
    },
    recipient: { ...names, userId: id, externalId: null, occasion, message: messageOf(BIRTHDAY) },
    late: false,
  });
  return { key, body: JSON.stringify(body) };
}

/** Users for contenders without an API to create them. */
export function benchUsers(count: number): BenchUser[] {
  return Array.from({ length: count }, (_, index) => ({
    id: uuidv7(),
    firstName: 'Herd',
    lastName: String(index + 1),
    timezone: 'UTC',
  }));
}
