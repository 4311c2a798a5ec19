/** The receiver of a run: it keeps every request, and fails as instructed. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Random } from './random.ts';

/** One request, from the outside. */
export interface Arrival {
  readonly webhookId: string;
  readonly userId: string;
  readonly firstName: string;
  readonly zone: string;
  /** Epoch ms, of the occurrence. */
  readonly dueAt: number;
  /** The port that it was sent to: each process that sends has its own way here. */
  readonly port: number;
  /** Epoch ms, when its first byte was here. */
  readonly at: number;
  /** `taken` and answered 200; `lost`: taken, and the answer was not sent; `refused` with a 500. */
  outcome: 'open' | 'taken' | 'lost' | 'refused' | 'broken';
  /** When it was answered. */
  endedAt: number | null;
}

/** How often it fails, in [0, 1]. */
export interface Trouble {
  readonly refuses: number;
  readonly losesAnswers: number;
}

export interface ChaosReceiver {
  readonly port: number;
  readonly arrivals: readonly Arrival[];
  setTrouble(trouble: Trouble): void;
  close(): Promise<void>;
}

/** Slow enough that a herd takes a moment, in which a process can be killed. */
const ANSWERS_WITHIN_MS = 150;

export async function startReceiver(random: Random): Promise<ChaosReceiver> {
  const arrivals: Arrival[] = [];
  let trouble: Trouble = { refuses: 0, losesAnswers: 0 };

  const answer = (arrival: Arrival, response: ServerResponse): void => {
    const end = (outcome: Arrival['outcome']): void => {
      if (arrival.endedAt !== null) return;
      arrival.outcome = outcome;
      arrival.endedAt = Date.now();
    };
    response.on('close', () => end('broken'));
    if (random.chance(trouble.losesAnswers)) {
      end('lost');
      response.socket?.resetAndDestroy();
    } else {
      const refuses = random.chance(trouble.refuses);
      response.on('finish', () => end(refuses ? 'refused' : 'taken'));
      response.writeHead(refuses ? 500 : 200).end();
    }
  };

  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const at = Date.now();
    const delayMs = random.between(0, ANSWERS_WITHIN_MS);
    const body = await read(request);
    if (body === null) return;
    const { user, occasion } = JSON.parse(body).data;
    const arrival: Arrival = {
      webhookId: String(request.headers['webhook-id']),
      userId: user.id,
      firstName: user.firstName,
      zone: occasion.timezone,
      dueAt: Date.parse(occasion.dueAt),
      port: Number(new URL(`http://${request.headers.host}`).port),
      at,
      outcome: 'open',
      endedAt: null,
    };
    arrivals.push(arrival);
    setTimeout(answer, delayMs, arrival, response);
  };

  const server = createServer((request, response) => void take(request, response));
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    arrivals,
    setTrouble(next) {
      trouble = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Null for one that breaks off. */
async function read(request: IncomingMessage): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Uint8Array);
    return Buffer.concat(chunks).toString();
  } catch {
    return null;
  }
}
