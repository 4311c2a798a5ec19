import type { TzDatabase } from './tz-database.ts';

const MOST = 3;
/** A similarity below this is chance. */
const LEAST_LIKENESS = 0.4;

/**
 * The zones whose names are most similar to a text, the most similar first: by pairs of letters
 * (Dice).
 */
export function nearestZones(text: string, tz: TzDatabase): string[] {
  const wanted = pairsOf(text);
  return tz
    .names()
    .map((name) => {
      const pairs = pairsOf(name);
      const common = [...pairs].filter((pair) => wanted.has(pair)).length;
      return { name, likeness: (2 * common) / (wanted.size + pairs.size) };
    })
    .filter(({ likeness }) => likeness >= LEAST_LIKENESS)
    .toSorted((a, b) => b.likeness - a.likeness)
    .slice(0, MOST)
    .map(({ name }) => name);
}

function pairsOf(text: string): Set<string> {
  const letters = text.toLowerCase();
  return new Set(Array.from({ length: letters.length - 1 }, (_, at) => letters.slice(at, at + 2)));
}
