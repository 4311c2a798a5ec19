import { hash } from 'node:crypto';

/**
 * A set of many ids in 8 bytes each, by a hash of 48 bits: among a million, two collide with a
 * probability of one in five hundred.
 */
export function createIdSet() {
  const hashes: number[] = [];
  let sorted: Float64Array | null = null;

  return {
    add(ids: readonly string[]): void {
      for (const id of ids) hashes.push(hashOf(id));
      sorted = null;
    },
    has(id: string): boolean {
      sorted ??= Float64Array.from(hashes).sort();
      return includes(sorted, hashOf(id));
    },
    get size(): number {
      return hashes.length;
    },
  };
}

function hashOf(id: string): number {
  return hash('sha256', id, 'buffer').readUIntBE(0, 6);
}

function includes(sorted: Float64Array, wanted: number): boolean {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((sorted[middle] ?? Infinity) < wanted) from = middle + 1;
    else to = middle;
  }
  return sorted[from] === wanted;
}
