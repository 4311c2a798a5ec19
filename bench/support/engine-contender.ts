/** Runs an engine as a contender: in a separate process, measured like everything else. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Contender, HerdRun, RunningContender } from '../contenders/contender.ts';
import type { EngineAnswer, EngineQuestion } from './engine.ts';
import { minuteAfter, secondAfter } from './instants.ts';

export interface EngineContenderOptions {
  readonly name: string;
  readonly about: string;
  /** The name of its module in bench/contenders. */
  readonly module: string;
  /** Users that it loads in a second, on two cores and with room to spare. */
  readonly loadsPerSecond: number;
  /** It polls at full minutes only: its instant is one of them, to be fair to it. */
  readonly atFullMinutes?: boolean;
}

const PROCESS = join(import.meta.dirname, 'engine-process.ts');
const CONTENDERS = join(import.meta.dirname, '..', 'contenders');
/** The time to start the process and what it connects to. */
const START_MS = 10_000;
const STOP_LIMIT_MS = 15_000;

export function engineContender(options: EngineContenderOptions): Contender {
  const { name, about } = options;
  return { name, about, start: (run) => start(run, options) };
}

async function start(run: HerdRun, options: EngineContenderOptions): Promise<RunningContender> {
  const { users, progress, installation, databaseUrl, webhookUrl, webhookSecret, meter } = run;
  const { name } = options;
  const leadMs = START_MS + (users / options.loadsPerSecond) * 1_000;
  const dueAt = options.atFullMinutes ? minuteAfter(leadMs).at : secondAfter(leadMs);
  progress.say(`${name}: all are due at ${new Date(dueAt).toISOString()}`);
  await meter.stage('load');

  const log = openSync(join(run.logDir, `${name}.log`), 'a');
  const child = fork(PROCESS, [join(CONTENDERS, options.module)], {
    stdio: ['ignore', log, log, 'ipc'],
  });
  installation.processes.set(name, child.pid ?? 0);
  const engine = talkTo(child, (count) => progress.tick(`${name}: ${count} of ${users} loaded`));
  const stop = async (): Promise<void> => {
    await end(child);
    // Its number may belong to another process after a while.
    installation.processes.delete(name);
  };
  try {
    await engine.ask({
      type: 'start',
      context: {
        users,
        dueAt,
        databaseUrl,
        temporalAddress: installation.temporal.address,
        webhookUrl,
        webhookSecret,
      },
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const lateMs = Date.now() - dueAt;
  const remarks = lateMs > 0 ? [`loading ended ${lateMs} ms after the instant`] : [];
  await meter.stage('wait');
  return {
    dueAt,
    remarks,
    sleeper: null,
    unfinished: () => engine.ask({ type: 'unfinished' }),
    stop,
  };
}

function talkTo(child: ChildProcess, onLoaded: (count: number) => void) {
  let open = Promise.withResolvers<number>();
  child.on('message', (message) => {
    const answer = message as EngineAnswer;
    if (answer.type === 'loaded') onLoaded(answer.count);
    else if (answer.type === 'failed') open.reject(new Error(answer.message));
    else open.resolve(answer.type === 'unfinished' ? answer.count : 0);
  });
  child.once('exit', (code) => open.reject(new Error(`the contender has ended (${code})`)));
  return {
    /** One request at a time. */
    ask(question: EngineQuestion): Promise<number> {
      open = Promise.withResolvers();
      child.send(question);
      return open.promise;
    },
  };
}

/** One that hangs, with thousands of requests still to send, is killed. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const patience = new AbortController();
  void sleep(STOP_LIMIT_MS, undefined, { signal: patience.signal }).then(
    () => child.kill('SIGKILL'),
    () => {},
  );
  await exited;
  patience.abort();
}
