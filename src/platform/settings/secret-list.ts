/** Settings that are comma-separated lists of secrets. No message contains any part of an entry. */
import { z } from 'zod';

/** Thrown by the parser of an entry, with the rule that the entry breaks. */
export class EntryError extends Error {
  override readonly name = 'EntryError';
}

/**
 * Parses every entry, and names every fault by the number of its entry.
 *
 * @param noun what an entry is called
 * @param parse throws `EntryError`; `others` are the entries before it
 */
export function secretList<Entry>(
  noun: string,
  parse: (text: string, others: readonly Entry[]) => Entry,
) {
  return z.string().transform((list, context): readonly Entry[] => {
    const texts = list.split(',').map((text) => text.trim());
    const entries: Entry[] = [];
    for (const [index, text] of texts.entries()) {
      try {
        entries.push(parse(text, entries));
      } catch (error) {
        if (!(error instanceof EntryError)) throw error;
        const message = `${noun} ${index + 1} of ${texts.length} ${error.message}`;
        context.addIssue({ code: 'custom', message });
      }
    }
    return entries;
  });
}

/**
 * Bytes in standard base64. Node accepts other spellings too, which other libraries decode
 * differently.
 */
export function parseBase64(text: string, prefix: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') === text) return bytes;
  throw new EntryError(`must be standard base64 after ${prefix}, with its padding (RFC 4648, 4)`);
}
