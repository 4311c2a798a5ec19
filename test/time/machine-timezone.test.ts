import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { describe, expect, it } from 'vitest';

const PROBE = fileURLToPath(new URL('./machine-timezone-probe.ts', import.meta.url));

/** Zones with every trait that a machine could pass on to a rule, and both halves of the year. */
const MACHINES = [
  ['UTC', '2026-01-15T12:00:00Z'],
  ['America/New_York', '2026-07-15T12:00:00Z'],
  ['Pacific/Apia', '2040-07-15T12:00:00Z'],
  ['Australia/Lord_Howe', '2040-01-15T12:00:00Z'],
] as const;

describe('the rule does not depend on the machine', () => {
  it('gives the same results in every time zone and season that a machine can be in', async () => {
    const answers: ProbeAnswer[] = [];
    // Two at a time: there are two cores.
    for (let index = 0; index < MACHINES.length; index += 2) {
      const pair = MACHINES.slice(index, index + 2);
      answers.push(...(await Promise.all(pair.map(([zone, now]) => probe(zone, now)))));
    }
    expect(answers.map(({ failedCases }) => failedCases)).toEqual(MACHINES.map(() => 0));
    expect(new Set(answers.map(({ machine }) => machine)).size).toBe(MACHINES.length);
    expect([...new Set(answers.map(({ digest }) => digest))]).toHaveLength(1);
  });
});

interface ProbeAnswer {
  readonly digest: string;
  readonly failedCases: number;
  readonly machine: string;
}

async function probe(timezone: string, now: string): Promise<ProbeAnswer> {
  const { stdout } = await promisify(execFile)(process.execPath, [PROBE, now], {
    env: { ...process.env, TZ: timezone },
  });
  return JSON.parse(stdout) as ProbeAnswer;
}
