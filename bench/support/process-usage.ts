/** What a process has used, from /proc; only on Linux. */
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessUsage {
  readonly cpuSeconds: number;
  /** Its own memory, with memory shared with its children counted once. */
  readonly memoryBytes: number;
}

/** proc(5): times are in ticks, of which Linux has 100 a second on every machine Node runs on. */
const TICKS_PER_SECOND = 100;

/**
 * Null if it does not run or there is no /proc.
 *
 * @param isFamily whether its children do its work, as PostgreSQL's do, and count with it
 */
export function usageOf(pid: number, isFamily: boolean): ProcessUsage | null {
  const tree = [pid, ...(isFamily ? childrenOf(pid) : [])];
  const all = tree.map(readOne).filter((one) => one !== null);
  const [root] = all;
  if (root === undefined) return null;
  return {
    // The parent knows the sum of the children that have ended.
    cpuSeconds: sum(all, (one) => one.ownSeconds + (isFamily ? one.endedSeconds : 0)),
    memoryBytes:
      sum(all, ({ privateBytes }) => privateBytes) +
      Math.max(...all.map(({ sharedBytes }) => sharedBytes)),
  };
}

function readOne(pid: number) {
  const stat = read(`/proc/${pid}/stat`);
  const status = read(`/proc/${pid}/status`);
  if (stat === null || status === null) return null;
  // The name, field 2, may contain anything: fields are counted from after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const seconds = (field: number): number => Number(fields[field - 3]) / TICKS_PER_SECOND;
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1024;
  return {
    ownSeconds: seconds(14) + seconds(15),
    endedSeconds: seconds(16) + seconds(17),
    privateBytes: bytes('RssAnon'),
    sharedBytes: bytes('RssShmem') + bytes('RssFile'),
  };
}

/** Only children, no grandchildren: PostgreSQL has none. */
function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      (read(`/proc/${pid}/task/${task}/children`) ?? '').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

function sum<Item>(items: readonly Item[], value: (item: Item) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
