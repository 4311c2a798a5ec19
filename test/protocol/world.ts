import type { Rules } from './rules.ts';
import type { Budget, Instant, Sender, State } from './state.ts';

/** The rules in force, and how large the world is that is explored. */
export interface World {
  readonly rules: Rules;
  readonly bounds: Bounds;
  /** What deliver believes of dispatchers; null: it may think either. */
  readonly presence: Presence | null;
}

export type Presence =
  /** There is none. */
  | 'dead'
  /** There is one, which claims nothing because its clock is off or it holds unwritten outcomes. */
  | 'refusing'
  /** There is one, which claims, but never this row. */
  | 'passing over';

export interface Bounds {
  /** No faults and changes after this tick. */
  readonly horizon: number;
  readonly dispatchers: number;
  readonly notifiers: number;
  /** When the two occurrences fall due at first. */
  readonly due: readonly [Instant, Instant];
  /** Planned and notified already, or created just now. */
  readonly start: 'planned' | 'new';
  readonly changes: readonly Change[];
  readonly left: Partial<Budget>;
  /** What the receiver refuses it refuses for good. */
  readonly refusesForGood?: boolean;
  /** What was delivered can be sent again by force. */
  readonly forces?: boolean;
  readonly clockOffsets?: readonly number[];
}

/** Null: the user is deleted. Otherwise when the occurrences fall due from now on. */
export type Change = readonly [Instant, Instant] | null;

/** Takes what a step leads to. */
export type Emit = (label: string, next: State) => void;

/** Ticks that a claim lasts. A request ends a tick before its lease does. */
export const LEASE = 2;
export const RETRY = 1;
/** Later than anything that is played through. */
export const FAR = 60;

export const NO_BUDGET: Budget = {
  crashes: 0,
  suspensions: 0,
  outages: 0,
  refusals: 0,
  changes: 0,
  redeliveries: 0,
  timeouts: 0,
  terminations: 0,
  renewals: 0,
};

export function at<Item>(items: readonly Item[], index: number): Item {
  const item = items[index];
  if (item === undefined) throw new Error(`There is no item ${index}`);
  return item;
}

/** All that can hold a row: dispatchers, then calls of deliver. */
export function sendersOf(s: State): readonly Sender[] {
  return [...s.dispatchers, s.calls[0].sender, s.calls[1].sender];
}

export function violate(s: State, invariant: string): void {
  s.seen.violation ??= invariant;
}
