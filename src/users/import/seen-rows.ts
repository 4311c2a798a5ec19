import { hash } from 'node:crypto';

export type SeenRows = ReturnType<typeof createSeenRows>;

/** Two words of the key's hash, one of the content's, and the line. */
const WORDS = 4;
const FULL = 0.7;

/**
 * What a file contained so far, at 23 to 46 bytes a row: hashes only, so that a file of a million
 * rows fits. Two keys of 64 bits collide by chance once in millions of files.
 */
export function createSeenRows() {
  let slots = new Uint32Array(WORDS * 4_096);
  let count = 0;

  /** The slot of a key, or the free one where it would go. */
  const find = (high: number, low: number): number => {
    const places = slots.length / WORDS;
    let place = low % places;
    while (slots[place * WORDS + 3] !== 0) {
      if (slots[place * WORDS] === high && slots[place * WORDS + 1] === low) break;
      place = (place + 1) % places;
    }
    return place * WORDS;
  };
  const grow = (): void => {
    const before = slots;
    slots = new Uint32Array(before.length * 2);
    for (let at = 0; at < before.length; at += WORDS) {
      if (before[at + 3] === 0) continue;
      slots.set(before.subarray(at, at + WORDS), find(before[at] ?? 0, before[at + 1] ?? 0));
    }
  };

  return {
    /**
     * Records that a line has a key, unless an earlier one had it. Returns that line, and whether
     * its content was the same; null if this is the first.
     */
    note(key: string, content: string, line: number) {
      const [high, low] = wordsOf(key);
      const [print] = wordsOf(content);
      const at = find(high, low);
      if (slots[at + 3] !== 0) return { line: slots[at + 3] ?? 0, isSame: slots[at + 2] === print };
      slots.set([high, low, print, line], at);
      count += 1;
      if (count * WORDS > slots.length * FULL) grow();
      return null;
    },
    has(key: string): boolean {
      const [high, low] = wordsOf(key);
      return slots[find(high, low) + 3] !== 0;
    },
  };
}

function wordsOf(text: string): readonly [number, number] {
  const digest = hash('sha256', text, 'buffer');
  return [digest.readUInt32LE(0), digest.readUInt32LE(4)];
}
