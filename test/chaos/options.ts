import { parseArgs } from 'node:util';

import { TEMPORAL_KINDS, type TemporalKind } from '../../bench/support/temporal.ts';

/** The size of a run, and what makes it the same again. */
export interface ChaosOptions {
  readonly seed: number;
  /** From the first to the last instant at which users are due. */
  readonly minutes: number;
  /** Users that are created; about nine in ten are due. */
  readonly users: number;
  /** Processes killed with -9. */
  readonly kills: number;
  /** Temporal's dev server, or its production server on the same PostgreSQL as Daybell. */
  readonly temporal: TemporalKind;
  /** Of the production server: 1, or a cluster with so many processes of each service. */
  readonly temporalNodes: number;
}

/** Thrown for arguments that are not usable; the message names every one, with its rule. */
export class InvalidOptionsError extends Error {
  override readonly name = 'InvalidOptionsError';
}

const RULES = {
  seed: { least: 0, most: 2 ** 31 - 1 },
  minutes: { least: 1, most: 50 },
  users: { least: 10, most: 100_000 },
  kills: { least: 0, most: 1_000 },
  'temporal-nodes': { least: 1, most: 5 },
} as const;

/** What the figures of docs/reliability.md were made with. */
const FULL = { minutes: 10, users: 2_700, kills: 40 };

/**
 * Reads `--seed S --minutes M --users N --kills K --temporal dev|postgres --temporal-nodes N`;
 * without a seed, one is drawn.
 *
 * @throws InvalidOptionsError
 */
export function parseOptions(args: readonly string[], drawSeed: () => number): ChaosOptions {
  const text = { type: 'string' } as const;
  const faults: string[] = [];
  let values: Partial<Record<keyof typeof RULES | 'temporal', string>> = {};
  try {
    const sizes = { seed: text, minutes: text, users: text, kills: text };
    const known = { ...sizes, temporal: text, 'temporal-nodes': text };
    values = parseArgs({ args: [...args], options: known }).values;
  } catch (error) {
    faults.push(error instanceof Error ? error.message : String(error));
  }
  const read = (name: keyof typeof RULES, preset: number): number => {
    const { least, most } = RULES[name];
    const value = values[name] ?? String(preset);
    if (/^\d+$/.test(value) && Number(value) >= least && Number(value) <= most) {
      return Number(value);
    }
    faults.push(`--${name}: must be a whole number from ${least} to ${most}`);
    return preset;
  };
  const options = {
    seed: read('seed', drawSeed()),
    minutes: read('minutes', FULL.minutes),
    users: read('users', FULL.users),
    kills: read('kills', FULL.kills),
    temporal: TEMPORAL_KINDS.find((kind) => kind === (values.temporal ?? 'dev')) ?? null,
    temporalNodes: read('temporal-nodes', 1),
  };
  const { temporal, temporalNodes } = options;
  if (temporal === 'dev' && temporalNodes > 1) {
    faults.push('--temporal-nodes: the dev server has none, --temporal postgres does');
  }
  if (temporal === null) faults.push(`--temporal: must be ${TEMPORAL_KINDS.join(' or ')}`);
  if (temporal === null || faults.length > 0) throw new InvalidOptionsError(faults.join('\n'));
  return { ...options, temporal };
}
