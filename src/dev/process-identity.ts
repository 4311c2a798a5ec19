/** What can be told of a process by its number: from /proc where there is one, otherwise from ps. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

/**
 * What tells a process from a later one with the same number: when it started. Null
 * when it does not run (a zombie does not).
 */
export function identifyProcess(pid: number): string | null {
  return hasProc() ? identityFromProc(pid) : identityFromPs(pid);
}

/** The name of the program that a process runs, such as `postgres`; null when it does not run. */
export function programOf(pid: number): string | null {
  if (identifyProcess(pid) === null) return null;
  const name = hasProc() ? read(`/proc/${pid}/comm`) : ps('comm=', pid);
  return name === null ? null : basename(name.trim());
}

/** proc(5): state is field 3 and the start, in ticks since boot, field 22; field 2 may hold anything. */
function identityFromProc(pid: number): string | null {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  if (state === 'Z' || state === 'X') return null;
  return `${read('/proc/sys/kernel/random/boot_id')?.trim()} ${fields[19]}`;
}

function identityFromPs(pid: number): string | null {
  const [, state, started] = /^\s*(\S+)\s+(.+?)\s*$/m.exec(ps('state=,lstart=', pid)) ?? [];
  return state === undefined || started === undefined || state.startsWith('Z') ? null : started;
}

function hasProc(): boolean {
  return existsSync('/proc/self/stat');
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

function ps(columns: string, pid: number): string {
  return spawnSync('ps', ['-o', columns, '-p', String(pid)], { encoding: 'utf8' }).stdout ?? '';
}
