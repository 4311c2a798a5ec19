import { spawn } from 'node:child_process';

import type { ChildSpec } from './child.ts';

export interface ServerProcess {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /**
   * Its whole environment: ours is not inherited, as its client settings are for another server.
   */
  readonly env?: Readonly<Record<string, string>>;
  /** 0 by default. */
  readonly niceness?: number;
  readiness(): Promise<boolean>;
}

/** The search path of programs that do not inherit our environment. */
export const SERVER_PATH = '/usr/local/bin:/usr/bin:/bin';
/** Recovery after a crash reads the log since the last checkpoint, at most five minutes' worth. */
const READY_LIMIT_MS = 180_000;
const STOP_LIMIT_MS = 30_000;
const ASK_LIMIT_MS = 2_000;

/** A third-party server as a supervised process. */
export function serverProcess(server: ServerProcess): ChildSpec {
  const { name, program, args, cwd, env, niceness, readiness } = server;
  return {
    name,
    ...(niceness !== undefined && { niceness }),
    spawn: () =>
      spawn(program, args, {
        cwd,
        env: { PATH: SERVER_PATH, ...env },
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    readiness,
    readyWithinMs: READY_LIMIT_MS,
    stopSignal: 'SIGTERM',
    stopWithinMs: STOP_LIMIT_MS,
    killSignal: 'SIGKILL',
  };
}

/** Whether a server on this machine answers a request with 200 now. */
export async function answersOk(url: string): Promise<boolean> {
  return (await statusOf(url)) === 200;
}

/** The status of the response to a GET, or to a POST if there is a body; null if there is none. */
export async function statusOf(url: string, body?: object): Promise<number | null> {
  try {
    const response = await fetch(url, {
      signal: AbortSignal.timeout(ASK_LIMIT_MS),
      ...(body !== undefined && {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    });
    await response.body?.cancel();
    return response.status;
  } catch {
    return null;
  }
}
