/**
 * Where an id falls in [0, 1): always the same place, and evenly over all ids. The salt
 * makes one spread independent of another. FNV-1a, then the finalizer of MurmurHash3,
 * without which ids that differ in their last character stay neighbours.
 */
export function spreadOf(id: string, salt: string): number {
  const text = `${salt}:${id}`;
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
