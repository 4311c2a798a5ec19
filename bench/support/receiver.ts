import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** What arrived at one path. */
export interface Arrivals {
  readonly requests: number;
  /** Distinct `webhook-id`s. */
  readonly distinct: number;
  /** Requests without a signature. */
  readonly unsigned: number;
  /** When each id arrived for the first time, epoch ms; empty unless requested. */
  readonly instants: readonly number[];
}

export interface ReceiverQuestion {
  readonly path: string;
  readonly withInstants: boolean;
}

export type ReceiverAnswer =
  | { readonly type: 'ready'; readonly port: number }
  | { readonly type: 'arrivals'; readonly arrivals: Arrivals };

export interface Receiver {
  readonly pid: number;
  url(path: string): string;
  /** How many have arrived at a path so far. */
  count(path: string): Promise<Arrivals>;
  /** The same with the instants. */
  take(path: string): Promise<Arrivals>;
  stop(): Promise<void>;
}

const ENTRY = join(import.meta.dirname, 'receiver-process.ts');

/** Starts the receiver in a separate process. */
export async function startReceiver(): Promise<Receiver> {
  const child = fork(ENTRY, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const exited = once(child, 'exit');
  const answer = async (): Promise<ReceiverAnswer> => {
    const gone = exited.then(() => Promise.reject(new Error('the receiver has ended')));
    const [message] = (await Promise.race([once(child, 'message'), gone])) as [ReceiverAnswer];
    return message;
  };
  const ready = await answer();
  const port = ready.type === 'ready' ? ready.port : 0;

  // One request at a time, since answers have no id.
  let last: Promise<unknown> = Promise.resolve();
  const ask = (question: ReceiverQuestion): Promise<Arrivals> => {
    const asked = last.then(async () => {
      child.send(question);
      const reply = await answer();
      if (reply.type !== 'arrivals') throw new Error('the receiver has answered something else');
      return reply.arrivals;
    });
    last = asked.catch(() => {});
    return asked;
  };

  return {
    pid: child.pid ?? 0,
    url: (path) => `http://127.0.0.1:${port}${path}`,
    count: (path) => ask({ path, withInstants: false }),
    take: (path) => ask({ path, withInstants: true }),
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
