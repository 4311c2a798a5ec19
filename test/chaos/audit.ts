/** What the project says of the run itself: its audit of the day, and its reconciler's log. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface AuditCheck {
  readonly counts: Readonly<Record<string, unknown>>;
  readonly breaches: readonly string[];
}

interface Audit {
  readonly due: number;
  readonly delivered: number;
  readonly late: number;
  readonly failed: { readonly total: number };
  readonly unaccounted: Found;
  readonly doubles: Found;
  readonly unexpected: Found;
}

interface Found {
  readonly count: number;
  readonly first: readonly unknown[];
}

const TRIES = 5;

/** Asks the API, which was just under fire: more than once, if need be. */
export async function readAudit(url: string, date: string): Promise<AuditCheck> {
  for (let tries = 1; ; tries += 1) {
    const response = await fetch(`${url}/v1/audit/${date}`);
    if (response.ok) return check((await response.json()) as Audit);
    if (tries === TRIES) {
      return { counts: {}, breaches: [`the audit answers ${response.status}`] };
    }
    await sleep(1_000);
  }
}

function check(audit: Audit): AuditCheck {
  const { due, delivered, late, failed } = audit;
  const breaches = (['unaccounted', 'doubles', 'unexpected'] as const)
    .filter((name) => audit[name].count > 0)
    .map((name) => `the audit has ${name}: ${JSON.stringify(audit[name])}`);
  return {
    counts: { due, delivered, late, failed: failed.total, unaccounted: audit.unaccounted.count },
    breaches,
  };
}

/** What the reconciler repaired in all, by finding: the scheduler's part of it and the worker's. */
export async function readRepairs(logs: string): Promise<Record<string, number>> {
  const repairs: Record<string, number> = {};
  for (const process of ['scheduler', 'worker']) {
    for (const line of (await readFile(join(logs, `${process}.log`), 'utf8')).split('\n')) {
      if (!line.includes('"msg":"reconciler: looked through the')) continue;
      const { repaired = {} } = JSON.parse(line) as { repaired?: Record<string, number> };
      for (const [finding, count] of Object.entries(repaired)) {
        repairs[finding] = (repairs[finding] ?? 0) + count;
      }
    }
  }
  return repairs;
}
