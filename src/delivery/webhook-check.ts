/** The check of a receiver: events that it must accept and events that it must refuse. */
import { setImmediate as nextTurn } from 'node:timers/promises';

import { newWebhookSecret } from '../platform/settings/webhook-secrets.ts';
import { classifyOutcome } from './outcome.ts';
import { hintOf, newTestId, testEvent } from './test-event.ts';
import type { Connection } from './wire/exchange.ts';
import { createGotClient } from './wire/got-client.ts';
import { createSign, type Sign } from './wire/signing.ts';
import {
  createDestinationClient,
  type DestinationSettings,
  type WebhookReply,
} from './wire/webhook-client.ts';

export const CHECK_STEPS = [
  'good',
  'duplicate',
  'wrong-signature',
  'old-timestamp',
  'changed-body',
  'large',
] as const;

export type CheckStep = (typeof CHECK_STEPS)[number];

export interface WebhookCheckStep {
  readonly step: CheckStep;
  /** In words. */
  readonly sent: string;
  readonly expected: 'accepted' | 'refused';
  /** As the receiver got it; null if nothing was sent. */
  readonly webhookId: string | null;
  readonly status: number | null;
  /** The reason if there is no status. */
  readonly errorCode: string | null;
  readonly durationMs: number | null;
  /** Null if that is unknown. */
  readonly right: boolean | null;
  /** What the response means. */
  readonly explanation: string;
}

export interface WebhookCheckReport {
  /** Epoch ms. */
  readonly startedAt: number;
  /** Every step was sent and handled correctly. */
  readonly passed: boolean;
  readonly steps: readonly WebhookCheckStep[];
  /** Whether the duplicate was recognized; null if the answer does not show it. */
  readonly deduplicated: boolean | null;
  readonly connection: {
    /** Such as `TLSv1.3`; null without TLS, or if nothing answered. */
    readonly tlsVersion: string | null;
    /** Whether a connection served a second request; null if there was no second answer. */
    readonly keptAlive: boolean | null;
  };
  /** What to change, in words; empty if there is nothing. */
  readonly advice: readonly string[];
}

/**
 * Far more than an event needs: 4 KB of `data`, and names and a message of some hundred characters.
 */
const LARGE_BYTES = 32 * 1024;
/** Standard Webhooks leaves the tolerance to the receiver; its libraries take five minutes. */
const OLD_MS = 10 * 60_000;
/** A herd waits for every response. */
const SLOW_MS = 1_000;

/**
 * Sends each event as deliveries are sent, one after the other. Stops if the good event was not
 * accepted, a response did not come in time, or the time limit of one delivery has passed: so it
 * takes at most twice that in all. Never rejects.
 */
export async function checkWebhook(
  settings: DestinationSettings,
  clock: () => number,
  destination: string,
): Promise<WebhookCheckReport> {
  const startedAt = clock();
  const started = performance.now();
  const connections: Connection[] = [];
  const genuine = createSign(settings.WEBHOOK_SECRETS);
  let sign = genuine;
  const client = createDestinationClient(createGotClient, settings, {
    maxSockets: 1,
    sign: (...content) => sign(...content),
    onConnection: (connection) => connections.push(connection),
  });

  const goodId = newTestId();
  const replies = new Map<CheckStep, Sent>();
  let stopped: string | null = null;
  for (const step of CHECK_STEPS) {
    if (stopped !== null) break;
    const event = eventOf(step, startedAt, goodId, genuine);
    sign = event.sign;
    const sentAt = clock() - event.ageMs;
    const reply = await client.post({ ...event, sentAt, latenessMs: 0 });
    replies.set(step, { ...reply, id: event.id });
    if (reply.errorCode === 'ETIMEDOUT') {
      stopped = `There was no answer within ${settings.WEBHOOK_TIMEOUT_MS} ms to the event before it.`;
    } else if (step === 'good' && !isAccepted(reply)) {
      stopped = 'Nothing else can be checked until the good event is accepted.';
    } else if (performance.now() - started > settings.WEBHOOK_TIMEOUT_MS) {
      stopped = 'The answers before it took longer than one delivery may.';
    }
    // Let the connection go back to its agent first.
    await nextTurn();
  }
  client.close();

  const steps = CHECK_STEPS.map((step) => judge(step, replies.get(step), stopped));
  const connection = {
    tlsVersion: connections.at(-1)?.tlsVersion ?? null,
    keptAlive: connections.length < 2 ? null : connections.some(({ isReused }) => isReused),
  };
  return {
    startedAt,
    passed: steps.every(({ right }) => right === true),
    steps,
    deduplicated: isDeduplicated(replies),
    connection,
    advice: adviceOf(steps, connection, settings, destination),
  };
}

type Sent = WebhookReply & { readonly id: string };

/**
 * Each event that must be refused has its own id: otherwise it could be accepted as a duplicate.
 */
function eventOf(step: CheckStep, at: number, goodId: string, genuine: Sign) {
  const good = { id: newTestId(), attempt: 1, body: testEvent(at), ageMs: 0, sign: genuine };
  switch (step) {
    case 'good':
      return { ...good, id: goodId };
    case 'duplicate':
      return { ...good, id: goodId, attempt: 2 };
    case 'wrong-signature':
      return { ...good, sign: createSign([newWebhookSecret()]) };
    case 'old-timestamp':
      return { ...good, ageMs: OLD_MS };
    case 'changed-body': {
      const signed = testEvent(at, { changed: false });
      const body = testEvent(at, { changed: true });
      return { ...good, body, sign: (id: string, seconds: number) => genuine(id, seconds, signed) };
    }
    case 'large': {
      const padding = 'x'.repeat(LARGE_BYTES - testEvent(at, { padding: '' }).length);
      return { ...good, body: testEvent(at, { padding }) };
    }
  }
}

const SENT: Readonly<Record<CheckStep, string>> = {
  good: 'A good event',
  duplicate: 'The same event again, with the same webhook-id',
  'wrong-signature': 'An event that is signed with another secret',
  'old-timestamp': `An event of ${OLD_MS / 60_000} minutes ago, correctly signed`,
  'changed-body': 'An event whose body is not the one that was signed',
  large: `A good event of ${LARGE_BYTES} bytes`,
};

const isExpectedToPass = (step: CheckStep): boolean =>
  step === 'good' || step === 'duplicate' || step === 'large';

function isAccepted(reply: WebhookReply): boolean {
  return classifyOutcome(reply).verdict === 'delivered';
}

function judge(step: CheckStep, sent: Sent | undefined, stopped: string | null): WebhookCheckStep {
  const expected = isExpectedToPass(step) ? ('accepted' as const) : ('refused' as const);
  const about = { step, sent: SENT[step], expected };
  const unsent = { webhookId: null, status: null, errorCode: null, durationMs: null };
  if (sent === undefined) {
    return { ...about, ...unsent, right: null, explanation: `Not sent. ${stopped ?? ''}`.trim() };
  }
  const { id, status, errorCode, durationMs } = sent;
  const right = isRight(step, sent);
  return {
    ...about,
    webhookId: id,
    status,
    errorCode,
    durationMs,
    right,
    explanation: explanationOf(step, sent, right),
  };
}

/** Null for a receiver that asks for fewer requests: that is not about this event. */
function isRight(step: CheckStep, reply: WebhookReply): boolean | null {
  const { verdict, slowsDestination } = classifyOutcome(reply);
  if (slowsDestination) return null;
  if (isExpectedToPass(step)) return verdict === 'delivered';
  const { status } = reply;
  return status !== null && status >= 400 && status <= 499 && verdict !== 'retry';
}

function explanationOf(step: CheckStep, reply: WebhookReply, right: boolean | null): string {
  const { status, errorCode } = reply;
  if (right === null) return `It asks for fewer requests (${status}): check it again later.`;
  if (status === null) {
    if (errorCode === 'ETIMEDOUT') return 'No answer came in time.';
    return `No answer came (${errorCode}).`;
  }
  if (step === 'duplicate' && status === 409) {
    return 'It recognizes the event, and refuses it: a redelivery would end FAILED.';
  }
  if (isAccepted(reply)) {
    return right ? `Accepted (${status}).` : `Accepted (${status}), and must be refused.`;
  }
  if (right) return `Refused (${status}).`;
  return isExpectedToPass(step)
    ? `Not accepted (${status}).`
    : `Not accepted, but not refused either (${status}).`;
}

/** What a receiver may answer to an event that it has seen. Status 208 is "Already Reported". */
const SEEN_BEFORE = /duplicate|already|seen before/i;

/** Two equal responses prove nothing: from outside, an event that is ignored looks the same. */
function isDeduplicated(replies: ReadonlyMap<CheckStep, Sent>): boolean | null {
  const [good, again] = [replies.get('good'), replies.get('duplicate')];
  const says = (reply: Sent | undefined): boolean =>
    reply?.status === 208 ||
    reply?.status === 409 ||
    SEEN_BEFORE.test(reply?.responseExcerpt ?? '');
  return says(again) && !says(good) ? true : null;
}

function adviceOf(
  steps: readonly WebhookCheckStep[],
  connection: WebhookCheckReport['connection'],
  { WEBHOOK_URL }: DestinationSettings,
  destination: string,
): string[] {
  const wrong = steps.filter(({ right }) => right === false);
  const advice = wrong.flatMap((one) => {
    if (one.errorCode === 'ETIMEDOUT') return ['Answer at once, and do the work afterwards.'];
    if (one.step === 'good') {
      const reach = `Make the receiver reachable at its URL from here (${one.errorCode}).`;
      return [hintOf(one, destination) ?? (one.status === null ? reach : ADVICE.good)];
    }
    const isAcceptedWrongly = one.status !== null && one.status <= 299;
    const isRefusedBadly = one.expected === 'refused' && !isAcceptedWrongly;
    return [isRefusedBadly ? REFUSE_WITH_401 : ADVICE[one.step]];
  });
  const slowest = Math.max(...steps.map(({ durationMs }) => durationMs ?? 0));
  if (slowest > SLOW_MS && !wrong.some(({ errorCode }) => errorCode === 'ETIMEDOUT')) {
    advice.push(
      `Answer within a second (the slowest took ${slowest} ms): everyone in a time zone is due in one instant.`,
    );
  }
  if (connection.keptAlive === false) {
    advice.push('Keep connections open after an answer: otherwise each event opens one.');
  }
  const answered = steps.some(({ status }) => status !== null);
  if (answered && WEBHOOK_URL.startsWith('http:')) {
    advice.push('Use https, unless the network between is your own: events name people.');
  }
  return [...new Set(advice)];
}

const REFUSE_WITH_401 =
  'Refuse what does not verify with 401: another answer, or none, looks like an outage.';

const ADVICE: Readonly<Record<CheckStep, string>> = {
  good: 'Answer 2xx to an event whose signature verifies, also if you do nothing with its type.',
  duplicate:
    'Answer 2xx to a webhook-id that you have seen: anything else is tried again, or ends as FAILED.',
  'wrong-signature':
    'Verify webhook-signature before anything else, and answer 401 if no signature fits.',
  'old-timestamp':
    'Refuse a webhook-timestamp that is more than five minutes away from now: otherwise anyone who has recorded an event can send it again.',
  'changed-body':
    'Verify the signature over the body as it came, byte by byte, before it is parsed.',
  large: `Accept bodies of ${LARGE_BYTES / 1024} KB: data of an occasion alone may have 4 KB.`,
};
