import { parseArgs, type ParseArgsConfig } from 'node:util';

import type { z } from 'zod';

import { connectOrm, type Orm } from '../platform/database/orm.ts';
import { describeError } from '../platform/errors.ts';
import { type DateSettingsInForce, readDateSettings } from '../planning/date-settings.ts';
import { InvalidSettingsError, loadSettings } from '../platform/settings/settings.ts';
import { askRunningApi, CommandError, EXIT, explainFailure, reportError, warn } from './command.ts';

interface Question<Answer> {
  /** For error messages. */
  readonly name: string;
  /** A path of the API. */
  readonly path: string;
  readonly schema: z.ZodType<Answer>;
  readonly readDatabase: (orm: Orm, inForce: DateSettingsInForce) => Promise<Answer>;
}

/** Where a command gets its answers. */
export type AnswerSource =
  | { readonly kind: 'api'; readonly ask: (path: string) => Promise<unknown> }
  | DatabaseSource;

export interface DatabaseSource {
  readonly kind: 'database';
  readonly orm: Orm;
  readonly inForce: DateSettingsInForce;
}

/**
 * Answers a command from the database at DATABASE_URL or, if that is not set, from the Daybell that
 * runs at HOST and PORT. Returns the exit code, which is that of `print` if there is an answer.
 */
export function answerCommand<Answer>(
  { name, path, schema, readDatabase }: Question<Answer>,
  print: (answer: Answer) => number,
): Promise<number> {
  return answerFrom(name, async (source) =>
    print(
      source.kind === 'api'
        ? schema.parse(await source.ask(path))
        : await readDatabase(source.orm, source.inForce),
    ),
  );
}

/** The same for a command that asks more than once. */
export async function answerFrom(
  name: string,
  answer: (source: AnswerSource) => Promise<number>,
): Promise<number> {
  try {
    const settings = loadSettings();
    if (settings.DATABASE_URL === undefined) {
      return await answer({ kind: 'api', ask: (path) => askRunningApi(settings, path) });
    }
    const orm = await connectOrm(settings.DATABASE_URL, { poolSize: 1 });
    try {
      const inForce = await readDateSettings(orm, settings, warn);
      return await answer({ kind: 'database', orm, inForce });
    } finally {
      await orm.close(true);
    }
  } catch (error) {
    const isKnown = error instanceof InvalidSettingsError || error instanceof CommandError;
    if (isKnown) return reportError(error);
    const why = explainFailure(error) ?? JSON.stringify(describeError(error));
    return reportError(new CommandError(`The ${name} failed: ${why}`, EXIT.unavailable));
  }
}

/** Reads the options of a command; returns null, after printing why, if they are refused. */
export function readOptions<Options extends NonNullable<ParseArgsConfig['options']>>(
  options: Options,
  usage: string,
) {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    refuseInput(error instanceof Error ? error.message : String(error), usage);
    return null;
  }
}

/** Prints why a command's arguments are refused, and returns the exit code. */
export function refuseInput(why: string, usage: string): number {
  process.stderr.write(`${why}\n${usage}\n`);
  return EXIT.badInput;
}
