/** What the command learns about a file before it sends it. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

import { InvalidInputError } from '../../users/errors.ts';
import { createDateReader } from '../../users/import/dates.ts';
import { type FileOptions, openFile } from '../../users/import/file-rows.ts';
import { CommandError, EXIT } from '../command.ts';

export interface Inspected {
  readonly bytes: number;
  readonly rows: number;
  /** Null for ISO 8601. */
  readonly dateFormat: string | null;
}

/**
 * Reads a file once: checks that it can be read and, unless that is given, how its dates are
 * written.
 *
 * @throws CommandError when that would be a guess
 */
export async function inspectFile(
  path: string,
  options: FileOptions,
  dateFormat: string | null,
): Promise<Inspected> {
  const { size: bytes } = await stat(path).catch(() => {
    throw refuse(`${path} cannot be read.`);
  });
  if (options.charset === null) await requireUtf8(path);
  const dates = createDateSurvey();
  let rows = 0;
  try {
    const file = await openFile(createReadStream(path), options);
    for await (const block of file.rows) {
      rows += block.length;
      for (const { line, user, occasions } of block) {
        dates.note(user['dateOfBirth'], line);
        for (const { date } of occasions) dates.note(date, line);
      }
    }
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    throw refuse(error.faults.map(({ field, rule }) => `${field} ${rule}.`).join('\n'));
  }
  return { bytes, rows, dateFormat: dateFormat ?? dates.format() };
}

/** Text of 8 bits to a character could be in any of many encodings: it is not guessed. */
async function requireUtf8(path: string): Promise<void> {
  let decoder: InstanceType<typeof TextDecoder> | null = null;
  try {
    for await (const chunk of createReadStream(path)) {
      const bytes = chunk as Buffer;
      decoder ??= new TextDecoder(hasMarkOfUtf16(bytes) ? markOf(bytes) : 'utf-8', { fatal: true });
      if (decoder.decode(bytes, { stream: true }).includes('\0')) {
        throw refuse(
          `${path} has NUL characters, as UTF-16 has without a byte order mark: give --encoding utf-16le.`,
        );
      }
    }
    decoder?.decode();
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw refuse(
      `${path} is not in UTF-8. Save it as UTF-8, or give its encoding, such as --encoding windows-1252 (Excel in Western Europe and America).`,
    );
  }
}

function hasMarkOfUtf16([first, second]: Buffer): boolean {
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
}

function markOf([first]: Buffer): string {
  return first === 0xff ? 'utf-16le' : 'utf-16be';
}

interface Sight {
  readonly line: number;
  readonly text: string;
}

/** How a date may be written, and whether it distinguishes day and month. */
const SHAPES = [
  { format: null, pattern: /^\d{4}-\d{1,2}-\d{1,2}$/ },
  { format: 'DD.MM.YYYY', pattern: /^\d{1,2}\.\d{1,2}\.\d{4}$/ },
  { format: 'YYYY/MM/DD', pattern: /^\d{4}\/\d{1,2}\/\d{1,2}$/ },
] as const;
const AMBIGUOUS = /^\d{1,2}([/-])\d{1,2}\1\d{4}$/;

function createDateSurvey() {
  const seen = new Map<string | null, Sight>();
  let ambiguous: Sight | null = null;
  /** Which of the two all dates fit. */
  const fitting = new Map(
    ['DD/MM/YYYY', 'MM/DD/YYYY'].map((format) => [
      format,
      createDateReader({ format, pivot: null }),
    ]),
  );
  return {
    note(value: unknown, line: number): void {
      if (typeof value !== 'string' || value === '') return;
      const sight = { line, text: value };
      if (AMBIGUOUS.test(value)) {
        ambiguous ??= sight;
        const text = value.replaceAll('-', '/');
        for (const [format, read] of fitting) {
          if (read(text).rule !== undefined) fitting.delete(format);
        }
        return;
      }
      const shape = SHAPES.find(({ pattern }) => pattern.test(value));
      if (shape !== undefined && !seen.has(shape.format)) seen.set(shape.format, sight);
    },
    /** @throws CommandError when dates are ambiguous, or written in several ways */
    format(): string | null {
      if (ambiguous !== null) {
        const { line, text } = ambiguous;
        const fits = [...fitting.keys()];
        const only = fits.length === 1 ? ` All dates of the file fit ${fits.join('')}.` : '';
        throw refuse(
          `Line ${line} has the date ${text}, which is ambiguous: say how dates are written, with --date-format DD/MM/YYYY or --date-format MM/DD/YYYY.${only}`,
        );
      }
      const [first, second] = [...seen.entries()];
      if (first === undefined) return null;
      if (second === undefined) return first[0];
      throw refuse(
        `Dates are written in several ways: ${first[1].text} in line ${first[1].line}, and ${second[1].text} in line ${second[1].line}. Say which is right, with --date-format; dates in other forms are refused.`,
      );
    },
  };
}

function refuse(why: string): CommandError {
  return new CommandError(why, EXIT.badInput);
}
