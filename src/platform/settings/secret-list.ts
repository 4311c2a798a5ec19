/** Settings that are comma-separated lists of secrets. No message holds any part of an entry. */
import { z } from 'zod';

/** Thrown by the parser of an entry, with the rule that the entry breaks. */
export class EntryError extends Error {
  override readonly name = 'EntryError';
}

export interface ParsedList<Entry> {
  readonly entries: readonly Entry[];
  /** In words, by the number of the entry. */
  readonly faults: readonly string[];
}

/**
 * Parses every entry, and names every fault.
 *
 * @param noun what an entry is called
 * @param parse throws `EntryError`; `others` are the entries before it
 */
export function parseList<Entry>(
  noun: string,
  texts: readonly string[],
  parse: (text: string, others: readonly Entry[]) => Entry,
): ParsedList<Entry> {
  const entries: Entry[] = [];
  const faults = texts.flatMap((text, index) => {
    try {
      entries.push(parse(text, entries));
      return [];
    } catch (error) {
      if (!(error instanceof EntryError)) throw error;
      return [`${noun} ${index + 1} of ${texts.length} ${error.message}`];
    }
  });
  return { entries, faults };
}

export const splitList = (list: string): string[] => list.split(',').map((text) => text.trim());

/** A setting that is such a list. */
export function listSetting<Values extends { readonly faults: readonly string[] }>(
  read: (list: string) => Values,
) {
  return z.string().transform((list, context) => {
    const values = read(list);
    for (const message of values.faults) context.addIssue({ code: 'custom', message });
    return values.faults.length === 0 ? values : z.NEVER;
  });
}

/** Bytes in standard base64. Node reads other spellings too, in which others would read other bytes. */
export function parseBase64(text: string, prefix: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') === text) return bytes;
  throw new EntryError(`must be standard base64 after ${prefix}, with its padding (RFC 4648, 4)`);
}
