/** One contender's turn in the herd bench, from an empty database to its figures. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import type { Contender, HerdOptions, RunningContender } from '../contenders/contender.ts';
import type { HerdResult } from './herd-result.ts';
import type { Installation } from './installation.ts';
import { startMeter, type MeterReport } from './meter.ts';
import type { Progress } from './progress.ts';
import { distributionOf } from './statistics.ts';
import { sleepUntil, until } from './until.ts';

export interface TurnOptions {
  readonly users: number;
  readonly herd: HerdOptions;
  /** How long after the instant it is stopped. */
  readonly limitMs: number;
  readonly outDir: string;
  readonly webhookSecret: string;
  readonly installation: Installation;
  readonly progress: Progress;
}

/** How often the receiver is polled, which has better things to do while the herd comes. */
const LOOK_EVERY_MS = 500;

export async function runContender(
  contender: Contender,
  options: TurnOptions,
): Promise<HerdResult> {
  const { users, installation, progress, limitMs } = options;
  const { receiver, databases, processes } = installation;
  const { name } = contender;
  const logDir = join(options.outDir, 'logs', `${name}-${users}`);
  mkdirSync(logDir, { recursive: true });
  const databaseUrl = await databases.create(`bench_${name.replaceAll('-', '_')}_${users}`);
  const path = `/${name}/${users}`;
  const webhookUrl = receiver.url(path);
  const meter = startMeter({
    processes: () => processes,
    transactions: databases.transactions,
  });
  progress.say(`${name}: ${contender.about}`);

  let running: RunningContender | null = null;
  try {
    const { herd, webhookSecret } = options;
    const run = { users, installation, databaseUrl, webhookUrl, webhookSecret };
    running = await contender.start({ ...run, logDir, meter, progress, options: herd });
    const { dueAt } = running;
    await sleepUntil(dueAt);
    await meter.stage('fire');
    const deadline = dueAt + limitMs;
    const arrived = async (): Promise<boolean> => {
      const { distinct } = await receiver.count(path);
      progress.tick(`${name}: ${distinct} of ${users} delivered`);
      return distinct >= users;
    };
    const all = await until(arrived, { everyMs: LOOK_EVERY_MS, deadline });

    await meter.stage('settle');
    const unfinished = running.unfinished;
    const settled = async (): Promise<boolean> => {
      const left = await unfinished();
      progress.tick(`${name}: ${left} of ${users} not booked yet`);
      return left === 0;
    };
    const isSettled = all && (await until(settled, { everyMs: LOOK_EVERY_MS, deadline }));
    const settledAfterMs = isSettled ? Date.now() - dueAt : null;
    const usage = await meter.stop();
    const remarks = [...running.remarks, ...((await running.afterwards?.()) ?? [])];
    // A duplicate may come late: the receiver is asked again once the contender has stopped.
    const ended = running;
    running = null;
    await ended.stop();
    const arrivals = await receiver.take(path);
    const result = figures({ contender, users, running: ended, arrivals, usage });
    return { ...result, stopped: !all, settledAfterMs, remarks };
  } finally {
    await meter.stop();
    await running?.stop();
  }
}

interface Found {
  readonly contender: Contender;
  readonly users: number;
  readonly running: RunningContender;
  readonly arrivals: Awaited<ReturnType<Installation['receiver']['take']>>;
  readonly usage: MeterReport;
}

function figures({ contender, users, running, arrivals, usage }: Found) {
  const { requests, distinct, unsigned, instants } = arrivals;
  const latenesses = instants
    .map((instant) => Math.round((instant - running.dueAt) * 10) / 10)
    .sort((a, b) => a - b);
  const transactions = usage.stages
    .flatMap((stage) => Object.values(stage.transactions))
    .reduce((sum, count) => sum + count, 0);
  return {
    contender: contender.name,
    about: contender.about,
    users,
    dueAt: new Date(running.dueAt).toISOString(),
    delivered: distinct,
    missing: users - distinct,
    duplicates: requests - distinct,
    early: latenesses.filter((lateness) => lateness < 0).length,
    unsigned,
    latenessMs: distributionOf(latenesses),
    sleeper: running.sleeper,
    usage,
    transactionsPerUser: Math.round((transactions / users) * 10) / 10,
    arrivalsMs: latenesses,
  };
}
