/** The parameters of an import, and the lines of its response. */
import { z } from '@hono/zod-openapi';

import {
  type ColumnField,
  DELIMITERS,
  OCCASION_COLUMNS,
  USER_COLUMNS,
} from '../../users/import/columns.ts';
import { LINT_CODES } from '../../users/import/lint.ts';
import { ruled, timezoneFault } from '../../users/user.ts';
import type { ApiDeps } from '../deps.ts';
import { flag } from './common.ts';

export const CSV_EXAMPLE = `externalId,firstName,lastName,dateOfBirth,timezone
crm-4711,Ada,Lovelace,1990-12-10,Europe/London
`;

export function importQuery({ tz }: Pick<ApiDeps, 'tz'>) {
  return z.strictObject({
    dryRun: flag('Checks everything, and stores nothing'),
    sync: flag(
      'The file has all users: at its end, those who are not in it are deleted, unless they are more than a tenth of all. Occasions are never deleted',
    ),
    rows: flag(
      'Returns refused rows, each as a line of a file that can be corrected and imported again',
    ),
    maxDeletes: wholeNumber('How many users `sync` may delete, instead of a tenth of all', 9),
    dateFormat: z
      .string('must be a string')
      .max(20, 'must have at most 20 characters')
      .optional()
      .openapi({
        description: 'How dates are written, if not as YYYY-MM-DD',
        example: 'DD.MM.YYYY',
      }),
    yearPivot: wholeNumber('With YY in `dateFormat`: the last year of this century', 2),
    timezone: ruled((zone) => timezoneFault(zone, tz))
      .optional()
      .openapi({ description: 'For users without one in the file', example: 'Europe/Berlin' }),
    delimiter: z
      .enum(DELIMITERS, 'must be a comma, a semicolon, a tab or a vertical bar')
      .optional()
      .openapi({ description: 'The separator of CSV; detected from the header if absent' }),
    map: z
      .union([z.string(), z.array(z.string())], 'must be text')
      .transform((pairs, context) =>
        [pairs].flat().map((pair) => {
          const at = pair.lastIndexOf('=');
          const field = COLUMN_FIELDS.find((name) => name === pair.slice(at + 1));
          if (at > 0 && field !== undefined) return [pair.slice(0, at).trim(), field] as const;
          context.addIssue({ code: 'custom', message: MAP_RULE });
          return z.NEVER;
        }),
      )
      .optional()
      .openapi({
        type: 'array',
        items: { type: 'string' },
        description:
          'Which field a column of the file holds, as `Geburtstag=dateOfBirth`, if its name does not say so; once for each column',
      }),
  });
}

const COLUMN_FIELDS: readonly ColumnField[] = [...USER_COLUMNS, ...OCCASION_COLUMNS];
const MAP_RULE = `must be the name of a column, "=" and one of ${COLUMN_FIELDS.join(', ')}`;

function wholeNumber(description: string, digits: number) {
  const rule = `must be a whole number of at most ${digits} digits`;
  return z
    .string(rule)
    .regex(new RegExp(`^\\d{1,${digits}}$`), rule)
    .transform(Number)
    .optional()
    .openapi({ type: 'integer', minimum: 0, maximum: 10 ** digits - 1, description });
}

const TallySchema = z
  .object({ created: z.int(), updated: z.int(), unchanged: z.int() })
  .openapi('ImportTally');

const counts = {
  rows: z.int().describe('Rows of the file so far, refused ones included'),
  refused: z.int(),
  users: TallySchema,
  occasions: TallySchema,
};

/** Every kind of line has a name: client generators invent the same one for two that have none. */
const ProgressSchema = z
  .object({
    type: z.literal('progress'),
    line: z.int().describe('Everything up to this line of the file is stored, or was refused'),
    bytes: z.int().describe('Bytes of the file up to there'),
    ...counts,
  })
  .openapi('ImportProgress');

const RefusedRowSchema = z
  .object({
    type: z.literal('refused'),
    line: z.int().describe('Of the file, from 1'),
    faults: z.array(
      z
        .object({
          field: z.string().openapi({ example: 'dateOfBirth' }),
          rule: z.string().openapi({ example: 'must be a day of the calendar' }),
          value: z.string().optional().describe('What the file has there, cut to 100 characters'),
        })
        .openapi('ImportFault'),
    ),
    row: z
      .string()
      .optional()
      .describe('With `rows`: the row as it stood, with the reason in the column refusedBecause'),
  })
  .openapi('ImportRefusedRow');

const HeaderSchema = z
  .object({
    type: z.literal('header'),
    row: z.string().describe('With `rows`: the first line of a file of refused rows; may be empty'),
  })
  .openapi('ImportHeader');

const DeletionSchema = z
  .object({
    missing: z.int().describe('Users who are not in the file'),
    deleted: z.int(),
    refused: z.string().nullable().describe('Why no users were deleted'),
  })
  .openapi('ImportDeletion');

const FindingSchema = z
  .object({
    code: z.enum(LINT_CODES),
    rows: z.int(),
    message: z.string(),
    lines: z.array(z.int()).describe('The first few'),
  })
  .openapi('ImportFinding');

const SummarySchema = z
  .object({
    type: z.literal('summary'),
    dryRun: z.boolean(),
    ...counts,
    ended: z.int().describe('Created or changed occasions that have no future occurrence'),
    // Not nullable(): that would make ImportDeletion itself nullable.
    sync: z.union([DeletionSchema, z.null()]).describe('What `sync` has deleted; null without it'),
    ignoredColumns: z.array(z.string()).describe('Columns of the file that were not read'),
    lint: z.array(FindingSchema).describe('Accepted rows that look wrong'),
  })
  .openapi('ImportSummary');

const FailureSchema = z
  .object({
    type: z.literal('error'),
    code: z.string(),
    message: z.string(),
  })
  .openapi('ImportFailure');

export const ImportLineSchema = z
  .discriminatedUnion('type', [
    HeaderSchema,
    ProgressSchema,
    RefusedRowSchema,
    SummarySchema,
    FailureSchema,
  ])
  .openapi('ImportLine');
