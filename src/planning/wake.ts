export interface WakeSettings {
  /** How long dispatchers have before a workflow checks, in ms: WAKE_AFTER. */
  readonly afterMs: number;
  /** How many workflows of one due instant wake in a second: WAKE_RATE; 0 for all at once. */
  readonly perSecond: number;
}

/** Keeps workflows without others at their instant from all waking on the full minute. */
const SHARE_MS = 5_000;

/**
 * A herd's first workflows wake while dispatchers may still be sending, so that sending begins soon
 * if there are no dispatchers. All others wake when dispatchers should be done with 100,000: a
 * workflow that wakes costs more than sixty webhooks sent by a dispatcher.
 */
const FIRST_MS = 10_000;
const HERD_MS = 120_000;

/**
 * When the workflow of an occasion should wake (epoch ms): those of one due instant come one after
 * the other, once dispatchers are done. With both settings 0, at the due instant itself.
 *
 * @param place how many occasions with the same due instant wake before it
 */
export function wakeAt(
  dueAt: number,
  place: number,
  occasionId: string,
  { afterMs, perSecond }: WakeSettings,
): number {
  if (afterMs === 0 && perSecond === 0) return dueAt;
  const queueMs = perSecond === 0 ? 0 : (place * 1_000) / perSecond;
  const herdMs = queueMs < FIRST_MS ? 0 : HERD_MS;
  return Math.round(dueAt + afterMs + queueMs + herdMs + spreadOf(occasionId, 'wake') * SHARE_MS);
}

/**
 * Where an id falls in [0, 1): always the same place, evenly over all ids, and a different one for
 * each salt. FNV-1a, then the finalizer of MurmurHash3: without it, ids that differ in their last
 * character stay neighbours.
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
