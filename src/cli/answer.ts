import type { z } from 'zod';

import { connectOrm, type Orm } from '../platform/database/orm.ts';
import { describeError } from '../platform/errors.ts';
import { type DateSettingsInForce, readDateSettings } from '../planning/date-settings.ts';
import { InvalidSettingsError, loadSettings } from '../platform/settings/settings.ts';
import { askRunningApi, CommandError, EXIT, explainFailure, reportError, warn } from './command.ts';

interface Question<Answer> {
  /** For error messages. */
  readonly name: string;
  /** Of the API. */
  readonly path: string;
  readonly schema: z.ZodType<Answer>;
  readonly readDatabase: (orm: Orm, inForce: DateSettingsInForce) => Promise<Answer>;
}

/**
 * Answers a command from the database at DATABASE_URL, or without one asks the Daybell that runs
 * at HOST and PORT. Returns the exit code, which is that of `print` if there is an answer.
 */
export async function answerCommand<Answer>(
  { name, path, schema, readDatabase }: Question<Answer>,
  print: (answer: Answer) => number,
): Promise<number> {
  try {
    const settings = loadSettings();
    if (settings.DATABASE_URL === undefined) {
      return print(schema.parse(await askRunningApi(settings, path)));
    }
    const orm = await connectOrm(settings.DATABASE_URL, { poolSize: 1 });
    try {
      return print(await readDatabase(orm, await readDateSettings(orm, settings, warn)));
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

/** Prints why a command's arguments are refused, and returns the exit code. */
export function refuseInput(why: string, usage: string): number {
  process.stderr.write(`${why}\n${usage}\n`);
  return EXIT.badInput;
}
