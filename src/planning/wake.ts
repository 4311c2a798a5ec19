import { spreadOf } from '../domain/spread.ts';

export interface WakeSettings {
  /** How long dispatchers have before a workflow looks, in ms: WAKE_AFTER. */
  readonly afterMs: number;
  /** Workflows of one due instant that wake in a second: WAKE_RATE; 0 for all at once. */
  readonly perSecond: number;
}

/** So that workflows without others at their instant do not all wake on the full minute. */
const SHARE_MS = 5_000;

/**
 * When the workflow of an occasion is to wake (epoch ms): those of one due instant come one
 * after the other, when dispatchers are done. Without a time for dispatchers and without a
 * rate, it is the due instant itself.
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
  const turnMs = perSecond === 0 ? 0 : (place * 1_000) / perSecond;
  return Math.round(dueAt + afterMs + turnMs + spreadOf(occasionId, 'wake') * SHARE_MS);
}
