/** Command-line options of the benches. Every fault is reported with its rule. */
import { parseArgs } from 'node:util';

import { TEMPORAL_KINDS, type TemporalKind } from './temporal.ts';

/** Thrown for an unusable option; the message is for the user. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
}

export interface Options {
  number(name: string, preset: number, least?: number): number;
  numbers(name: string, preset: readonly number[]): number[];
  text(name: string, preset: string): string;
  choice<Choice extends string>(name: string, choices: readonly Choice[], preset: Choice): Choice;
  list<Choice extends string>(
    name: string,
    choices: readonly Choice[],
    preset: readonly Choice[],
  ): Choice[];
}

/** @param names all options; each takes a value */
export function readOptions(args: readonly string[], names: readonly string[]): Options {
  const values = parse(args, names);
  return {
    number(name, preset, least = 1) {
      const value = values[name];
      return value === undefined ? preset : wholeNumber(name, value, least);
    },
    numbers(name, preset) {
      const value = values[name];
      return value === undefined
        ? [...preset]
        : value.split(',').map((one) => wholeNumber(name, one, 1));
    },
    text: (name, preset) => values[name] ?? preset,
    choice: (name, choices, preset) => among(name, choices, values[name] ?? preset),
    list: (name, choices, preset) =>
      values[name]?.split(',').map((one) => among(name, choices, one)) ?? [...preset],
  };
}

/** The options that all benches have. */
export const COMMON_OPTIONS = ['temporal', 'temporal-nodes', 'shards', 'out', 'data'] as const;

export interface CommonOptions {
  readonly temporal: TemporalKind;
  /** For the production server: 1, or a cluster with this many processes of each service. */
  readonly temporalNodes: number;
  readonly historyShards?: number;
  /** The folder for results. */
  readonly outDir: string;
  /** Where the servers keep their data; emptied. */
  readonly dataDir: string;
}

export function commonOptions(options: Options, name: string): CommonOptions {
  const shards = options.number('shards', 0, 0);
  const temporal = options.choice('temporal', TEMPORAL_KINDS, 'dev');
  const temporalNodes = options.number('temporal-nodes', 1);
  if (temporal === 'dev' && temporalNodes > 1) {
    throw new OptionError('--temporal-nodes: the dev server has none, --temporal postgres does');
  }
  const startedAt = new Date().toISOString().slice(0, 19).replaceAll(':', '-');
  return {
    temporal,
    temporalNodes,
    outDir: options.text('out', `data/bench-results/${name}-${startedAt}`),
    dataDir: options.text('data', 'data/bench'),
    ...(shards > 0 && { historyShards: shards }),
  };
}

function wholeNumber(name: string, value: string, least: number): number {
  if (!/^\d+$/.test(value) || Number(value) < least) {
    throw new OptionError(`--${name}: must be a whole number from ${least}, not "${value}"`);
  }
  return Number(value);
}

function among<Choice extends string>(
  name: string,
  choices: readonly Choice[],
  value: string,
): Choice {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw new OptionError(`--${name}: must be of ${choices.join(', ')}, not "${value}"`);
}

function parse(
  args: readonly string[],
  names: readonly string[],
): Record<string, string | undefined> {
  try {
    const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new OptionError(`${message}\nOptions: ${names.map((name) => `--${name}`).join(', ')}`);
  }
}
