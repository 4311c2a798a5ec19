import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/**
 * Distinguishes a process from a later one with the same number: by when it was started. Null if it
 * does not run; a zombie does not.
 */
export function identifyProcess(pid: number): string | null {
  if (!existsSync('/proc/self/stat')) return identityFromPs(pid);
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // proc(5): state is field 3 and the start, in ticks since boot, field 22; field 2 may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return null;
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19]}`;
  } catch {
    return null;
  }
}

/** On macOS. */
function identityFromPs(pid: number): string | null {
  const ps = spawnSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], { encoding: 'utf8' });
  return /^\s*[^Z\s]\S*\s+(.+?)\s*$/.exec(ps.stdout ?? '')?.[1] ?? null;
}
