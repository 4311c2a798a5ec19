/** Measures what each process uses in each stage of a run. */
import { usageOf } from './process-usage.ts';

export interface StageUsage {
  readonly stage: string;
  readonly durationMs: number;
  /** CPU seconds by the process's name. */
  readonly cpuSeconds: Readonly<Record<string, number>>;
  /** Committed transactions by database. */
  readonly transactions: Readonly<Record<string, number>>;
}

export interface MeterReport {
  readonly stages: readonly StageUsage[];
  readonly cpuSeconds: Readonly<Record<string, number>>;
  /** The maximum, sampled twice a second. */
  readonly peakMemoryBytes: Readonly<Record<string, number>>;
}

export interface Meter {
  /** Ends the previous stage and begins this one. */
  stage(name: string): Promise<void>;
  /** Ends the last stage; safe to call again. */
  stop(): Promise<MeterReport>;
}

export interface MeterDeps {
  /** The processes that run at this moment, by name. */
  readonly processes: () => ReadonlyMap<string, number>;
  /** Transactions so far, by database. */
  readonly transactions: () => Promise<Readonly<Record<string, number>>>;
}

const SAMPLE_EVERY_MS = 500;
/** A process for each connection. */
const FAMILY = 'postgres';

export function startMeter({ processes, transactions }: MeterDeps): Meter {
  const peaks: Record<string, number> = {};
  /**
   * The last known values of each, even of one that has ended since; and which process that was.
   */
  const cpu: Record<string, number> = {};
  const seen = new Map<string, { readonly pid: number; readonly earlierSeconds: number }>();
  const stages: StageUsage[] = [];
  let open: Snapshot | null = null;

  const sample = (): void => {
    for (const [name, pid] of processes()) {
      const usage = usageOf(pid, name === FAMILY);
      if (usage === null) continue;
      if (seen.get(name)?.pid !== pid) seen.set(name, { pid, earlierSeconds: cpu[name] ?? 0 });
      cpu[name] = (seen.get(name)?.earlierSeconds ?? 0) + usage.cpuSeconds;
      peaks[name] = Math.max(peaks[name] ?? 0, usage.memoryBytes);
    }
  };

  const snapshot = async (stage: string): Promise<Snapshot> => {
    sample();
    const at = performance.now();
    return { stage, at, cpu: { ...cpu }, transactions: await transactions() };
  };

  const close = (now: Snapshot): void => {
    if (open === null) return;
    stages.push({
      stage: open.stage,
      durationMs: Math.round(now.at - open.at),
      cpuSeconds: difference(now.cpu, open.cpu),
      transactions: difference(now.transactions, open.transactions),
    });
  };

  const timer = setInterval(sample, SAMPLE_EVERY_MS);
  return {
    async stage(name) {
      const now = await snapshot(name);
      close(now);
      open = now;
    },
    async stop() {
      clearInterval(timer);
      if (open !== null) close(await snapshot('end'));
      open = null;
      return { stages, cpuSeconds: sumOf(stages), peakMemoryBytes: peaks };
    },
  };
}

interface Snapshot {
  readonly stage: string;
  readonly at: number;
  readonly cpu: Readonly<Record<string, number>>;
  readonly transactions: Readonly<Record<string, number>>;
}

function difference(now: Snapshot['cpu'], before: Snapshot['cpu']): Record<string, number> {
  return Object.fromEntries(
    Object.entries(now).map(([name, value]) => [name, round(value - (before[name] ?? 0))]),
  );
}

function sumOf(stages: readonly StageUsage[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const { cpuSeconds } of stages) {
    for (const [name, value] of Object.entries(cpuSeconds)) {
      sum[name] = round((sum[name] ?? 0) + value);
    }
  }
  return sum;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
