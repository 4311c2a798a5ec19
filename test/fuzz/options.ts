import { parseArgs } from 'node:util';

/** How long a run takes, and the seed that repeats it. */
export interface FuzzOptions {
  readonly seconds: number;
  readonly seed: number;
}

/** Thrown for arguments that are not usable; the message names every one, with its rule. */
export class InvalidOptionsError extends Error {
  override readonly name = 'InvalidOptionsError';
}

const MINUTES = 10;
const MOST_MINUTES = 24 * 60;
const MOST_SEED = 2 ** 31 - 1;

/**
 * Reads `--minutes M --seed S`; without a seed, one is drawn.
 *
 * @throws InvalidOptionsError
 */
export function parseOptions(args: readonly string[], drawSeed: () => number): FuzzOptions {
  const options = { minutes: { type: 'string' }, seed: { type: 'string' } } as const;
  let values: { minutes?: string | undefined; seed?: string | undefined };
  try {
    values = parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new InvalidOptionsError(error instanceof Error ? error.message : String(error));
  }
  const faults: string[] = [];
  const read = (name: string, value: string | undefined, preset: number, [least, most]: Span) => {
    const number = value === undefined ? preset : /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= least && number <= most)) {
      faults.push(`--${name}: must be a whole number from ${least} to ${most}`);
    }
    return number;
  };
  const minutes = read('minutes', values.minutes, MINUTES, [1, MOST_MINUTES]);
  const seed = read('seed', values.seed, drawSeed(), [0, MOST_SEED]);
  if (faults.length > 0) throw new InvalidOptionsError(faults.join('\n'));
  return { seconds: minutes * 60, seed };
}

type Span = readonly [least: number, most: number];
