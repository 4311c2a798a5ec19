/**
 * Receivers that are drawn at random: how they break the rules of HTTP, and when they stop. Each
 * answer follows from the seed and the `webhook-id` alone, so both clients meet the same receiver.
 */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import pLimit from 'p-limit';

import { createRandom, type Random } from '../chaos/random.ts';
import { startRawReceiver, type RawReceiver, type RawRequest } from '../support/raw-receiver.ts';
import { CLIENTS } from '../support/webhook-clients.ts';

/** One response, as the receiver will give it. */
interface Plan {
  readonly status: number;
  /** What it writes, one packet each, with pauses between them in ms. */
  readonly packets: readonly { readonly bytes: string; readonly afterMs: number }[];
  /** What it does after everything is written. */
  readonly ending: 'keep' | 'end' | 'reset';
  /** It closes a connection that has served a request, instead of answering on it. */
  readonly refusesKept: boolean;
  /** How the client must interpret it. */
  readonly expected: number | null;
}

const SOCKETS = 8;
const WEBHOOKS = 100;
const TIMEOUT_MS = 20_000;

/** Runs both clients against one receiver. Returns what went wrong, a line each. */
export async function meetReceiver(seed: number): Promise<string[]> {
  const faults: string[] = [];
  const ids = Array.from({ length: WEBHOOKS }, (_, index) => `fuzz:${seed}:${index}`);
  const habits = habitsOf(createRandom(seed, 'receiver'));
  const plans = new Map(ids.map((id) => [id, planOf(createRandom(seed, id), habits)]));
  for (const { name, create } of CLIENTS) {
    const receiver = await startRawReceiver();
    receiver.answer((connection, request) => void answer(connection, request, plans));
    const client = create({
      url: receiver.url,
      timeoutMs: TIMEOUT_MS,
      maxSockets: SOCKETS,
      allowPrivate: true,
    });
    await pLimit(SOCKETS).map(ids, async (id, index) => {
      const request = { id, sentAt: 0, attempt: 1, latenessMs: 0, body: JSON.stringify(id) };
      const { status, errorCode } = await client.post(request);
      const plan = plans.get(id);
      if (plan === undefined || status === plan.expected) return;
      const script = JSON.stringify(plan.packets).slice(0, 300);
      faults.push(
        `seed ${seed}, ${name}, ${index}: ${status ?? errorCode}, not ${plan.expected}: ${script}`,
      );
    });
    client.close();
    await receiver.close();
    faults.push(...tooOften(receiver).map((fault) => `seed ${seed}, ${name}: ${fault}`));
  }
  return faults;
}

async function answer(
  connection: Socket,
  { id, number }: RawRequest,
  plans: ReadonlyMap<string, Plan>,
): Promise<void> {
  const plan = plans.get(id);
  if (plan === undefined) return;
  if (plan.refusesKept && number > 1) return void connection.resetAndDestroy();
  for (const { bytes, afterMs } of plan.packets) {
    if (afterMs > 0) await sleep(afterMs);
    if (connection.writable) connection.write(bytes, 'latin1');
  }
  if (plan.ending === 'end') connection.end();
  // What has not been read by then is lost.
  if (plan.ending === 'reset') setTimeout(() => connection.resetAndDestroy(), 50);
}

/** A webhook may come twice if it first came on a kept connection, and got no answer there. */
function tooOften({ requests }: RawReceiver): string[] {
  const seen = new Map<string, RawRequest[]>();
  for (const request of requests) {
    seen.set(request.id, [...(seen.get(request.id) ?? []), request]);
  }
  return [...seen].flatMap(([id, times]) => {
    const isExcused = times.length === 2 && (times[0]?.number ?? 0) > 1;
    return times.length === 1 || isExcused ? [] : [`${id} came ${times.length} times`];
  });
}

/** What a receiver is prone to: none breaks every rule. */
function habitsOf(random: Random) {
  return {
    leavesBodies: random.chance(0.3) ? 0.5 : 0,
    breaksHeads: random.chance(0.4) ? 0.3 : 0,
    refusesKept: random.chance(0.3) ? 0.3 : 0,
    cutsOff: random.chance(0.4) ? 0.2 : 0,
    hasLargeHeads: random.chance(0.2) ? 0.3 : 0,
    writesInPieces: random.chance(0.5) ? 0.5 : 0,
    closes: random.chance(0.5) ? 0.2 : 0,
  };
}

type Habits = ReturnType<typeof habitsOf>;

const STATUSES = [200, 201, 202, 204, 205, 304, 400, 410, 429, 500, 503];
/** Lines that the parser refuses. Each is one, or ends one. */
const BROKEN_LINES = [
  'a: b;\r\n folded',
  'a: b\nc: d',
  'content-length: 1\r\ncontent-length: 2',
  'content-length: 1\r\ntransfer-encoding: chunked',
  'content-length: x',
  'no colon',
  'a : b',
  ': b',
  'a: \0',
];

function planOf(random: Random, habits: Habits): Plan {
  const status = random.pick(STATUSES);
  const refusesKept = random.chance(habits.refusesKept);
  const statusLine = `HTTP/1.${random.chance(0.9) ? 1 : 0} ${status} ${random.pick(['OK', '', 'x y'])}\r\n`;
  const interim = random.chance(0.05) ? 'HTTP/1.1 102 Processing\r\n\r\n' : '';
  if (random.chance(habits.breaksHeads)) {
    const head = `${interim}${statusLine}${random.pick(BROKEN_LINES)}\r\n\r\n{}`;
    return {
      status,
      refusesKept,
      packets: split(random, habits, head),
      ending: 'keep',
      expected: status,
    };
  }

  const lines = [`x-filler: ${'x'.repeat(random.chance(habits.hasLargeHeads) ? 50_000 : 10)}`];
  const body = 'x'.repeat(Math.floor(random.pick([0, 2, 2_000, 70_000]) * random.next()));
  const isBodiless = [204, 205, 304].includes(status);
  let ending: Plan['ending'] = random.chance(habits.closes) ? 'end' : 'keep';
  let later: Plan['packets'] = [];
  let content = '';
  let isInPieces = true;
  if (isBodiless) {
    if (random.chance(habits.leavesBodies)) {
      const length = status === 205 ? [] : [`content-length: ${body.length + 1}`];
      lines.push(...random.pick([length, ['content-type: text/plain']]));
      later = [{ bytes: `${body}.`, afterMs: random.between(0, 50) }];
    } else if (status === 205) lines.push('content-length: 0');
  } else if (random.chance(0.4)) {
    lines.push('transfer-encoding: chunked');
    content = `${body.length > 0 ? `${body.length.toString(16)}\r\n${body}\r\n` : ''}0\r\n\r\n`;
  } else if (random.chance(0.9)) {
    lines.push(`content-length: ${body.length}`);
    content = body;
    if (body.length < 2_000 && random.chance(habits.leavesBodies)) {
      // More than it announces. In a later packet, nobody could tell it from the next response.
      content += '{}';
      isInPieces = false;
    }
  } else {
    content = body;
    ending = 'end';
  }
  const head = `${interim}${statusLine}${lines.join('\r\n')}\r\n\r\n`;
  if (random.chance(habits.cutsOff)) {
    const cut = Math.floor(random.next() * (head.length + content.length));
    return {
      status,
      refusesKept,
      packets: split(random, habits, (head + content).slice(0, cut)),
      ending: random.pick(['end', 'reset']),
      expected: cut < head.length ? null : status,
    };
  }
  const whole = [{ bytes: head + content, afterMs: 0 }];
  const packets = isInPieces ? split(random, habits, head + content) : whole;
  return { status, refusesKept, packets: [...packets, ...later], ending, expected: status };
}

/** In up to five packets. */
function split(random: Random, { writesInPieces }: Habits, text: string): Plan['packets'] {
  if (!random.chance(writesInPieces)) return [{ bytes: text, afterMs: 0 }];
  const cuts = Array.from({ length: 4 }, () => Math.floor(random.next() * text.length));
  const ends = [...cuts.sort((a, b) => a - b), text.length];
  return ends.map((end, index) => ({
    bytes: text.slice(ends[index - 1] ?? 0, end),
    afterMs: random.between(0, 10),
  }));
}
