/**
 * What the benches of Daybell alone start with: servers, its processes, an empty database, a meter.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { NICENESS } from '../../dev/child.ts';
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { machineFacts } from '../report/machine-facts.ts';
import { startDaybellProcesses, type DaybellProcesses } from './daybell-processes.ts';
import { startInstallation, type Installation } from './installation.ts';
import { viewLedger, type LedgerView } from './ledger-view.ts';
import { startMeter, type Meter } from './meter.ts';
import type { CommonOptions } from './options.ts';
import { createProgress, type Progress } from './progress.ts';
import type { Receiver } from './receiver.ts';
import type { BenchContext } from './run-bench.ts';
import { until } from './until.ts';

export interface DaybellBench {
  readonly installation: Installation;
  readonly databaseUrl: string;
  readonly daybell: DaybellProcesses;
  readonly ledger: LedgerView;
  readonly meter: Meter;
  readonly progress: Progress;
  readonly receiver: Receiver;
  /** The path at the receiver to which its greetings are posted. */
  readonly webhookPath: string;
  /**
   * Waits until none is left, and reports how many are; returns false if the deadline (epoch ms)
   * comes first. Counting a million is work for the database: poll less often then.
   */
  untilNone(
    what: string,
    left: () => Promise<number>,
    deadline?: number,
    everyMs?: number,
  ): Promise<boolean>;
  /** Writes the result together with the machine that it was measured on. */
  write(result: object): void;
}

const LOOK_EVERY_MS = 250;

/** @param name of the bench, as in `npm run bench:<name>` */
export async function openDaybellBench(
  name: string,
  common: CommonOptions,
  { atTheEnd }: BenchContext,
): Promise<DaybellBench> {
  const outDir = resolve(common.outDir);
  const logDir = join(outDir, 'logs');
  mkdirSync(logDir, { recursive: true });
  const progress = createProgress((text) => process.stdout.write(text));
  const installation = await startInstallation({
    ...common,
    temporalNiceness: NICENESS.temporal,
    progress,
  });
  atTheEnd(installation.stop);

  const { databases, receiver, processes } = installation;
  const databaseUrl = await databases.create(`bench_${name}`);
  const webhookPath = `/${name}`;
  const daybell = startDaybellProcesses(installation, {
    databaseUrl,
    webhookUrl: receiver.url(webhookPath),
    webhookSecret: newWebhookSecret(),
    logDir,
  });
  await daybell.migrate();
  const ledger = await viewLedger(databaseUrl);
  atTheEnd(ledger.close);
  atTheEnd(daybell.stop);
  const meter = startMeter({
    processes: () => processes,
    transactions: databases.transactions,
  });
  return {
    installation,
    databaseUrl,
    daybell,
    ledger,
    meter,
    progress,
    receiver,
    webhookPath,
    untilNone(what, left, deadline = Infinity, everyMs = LOOK_EVERY_MS) {
      const isNone = async (): Promise<boolean> => {
        const count = await left();
        progress.tick(`${count} ${what}`);
        return count <= 0;
      };
      return until(isNone, { everyMs, deadline });
    },
    write(result) {
      const command = [`npm run bench:${name} --`, ...process.argv.slice(2)].join(' ');
      const about = { bench: name, command, temporal: common.temporal, machine: machineFacts() };
      writeFileSync(join(outDir, `${name}.json`), `${JSON.stringify({ ...about, ...result })}\n`);
      progress.say(`results are in ${outDir}`);
    },
  };
}
