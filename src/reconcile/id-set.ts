import { hash } from 'node:crypto';

/**
 * A set of many ids in 8 bytes each: of a million, two share a number with a probability of one in
 * five hundred, and then one of them is taken for the other until it is compared again.
 */
export function createIdSet() {
  const numbers: number[] = [];
  let sorted: Float64Array | null = null;

  return {
    add(id: string): void {
      numbers.push(numberOf(id));
      sorted = null;
    },
    has(id: string): boolean {
      sorted ??= Float64Array.from(numbers).sort();
      return includes(sorted, numberOf(id));
    },
    get size(): number {
      return numbers.length;
    },
  };
}

/** 48 bits. */
function numberOf(id: string): number {
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
