/** Which process is killed when, by the seed; what a run has to come to by it; and whether it did. */
import type { Random } from './random.ts';

/** A herd is of more than so many, due at one instant. */
export const HERD = 100;
/** So near to an instant a kill has to be to count for its herd. */
export const NEAR_MS = 10_000;

export interface PlannedKill {
  /** Epoch ms. */
  readonly at: number;
  readonly target: string;
  readonly downMs: number;
  /** Epoch ms, of one that is aimed at the herd of this instant. */
  readonly aimedAt: number | null;
}

export interface KillPlanOptions {
  readonly kills: number;
  /** Epoch ms, ascending. */
  readonly instants: readonly number[];
  readonly from: number;
  readonly until: number;
  readonly draw: Random;
}

export const TARGETS = [
  'api',
  'worker',
  'dispatcher',
  'scheduler',
  'temporal',
  'postgres',
] as const;
const DISPATCHERS = ['dispatcher-1', 'dispatcher-2'] as const;
/** Of all kills, those of a dispatcher while a herd is due. */
const AIMED = 1 / 4;
/** Users are due at any instant that is still to come when they are created: the first ones have few. */
const WITH_HERDS = 2 / 3;
/** While it is sent, which takes a part of a second. */
const IN_HERD_MS = { least: 0, most: 400 };

/** A dispatcher at the instants that have herds, the largest first; all targets in turn, a new order each time, in between. */
export function planKills(options: KillPlanOptions): PlannedKill[] {
  const { kills, instants, from, until, draw } = options;
  const downMs = (): number => draw.between(0, 4_000);
  const aimed = aimedOf(kills, instants.length);
  const herds = instants.slice(-instantsWithHerds(instants.length)).toReversed();
  const inHerds = Array.from({ length: aimed }, (_, index) => {
    const instant = herds[index % herds.length] ?? from;
    // The second time round, the other one is killed at the same instant.
    const other = index + Math.floor(index / herds.length) * (1 + (herds.length % 2));
    return {
      at: instant + draw.between(IN_HERD_MS.least, IN_HERD_MS.most),
      target: DISPATCHERS[other % 2] ?? DISPATCHERS[0],
      downMs: downMs(),
      aimedAt: instant,
    };
  });
  const rest = kills - aimed;
  const targets: string[] = [];
  while (targets.length < rest) targets.push(...draw.shuffle(TARGETS));
  const spacing = (until - from) / Math.max(rest, 1);
  const inTurn = targets.slice(0, rest).map((target, index) => ({
    at: from + spacing * (index + draw.between(0.1, 0.9)),
    target: target === 'dispatcher' ? draw.pick(DISPATCHERS) : target,
    downMs: downMs(),
    aimedAt: null,
  }));
  return [...inHerds, ...inTurn].toSorted((one, other) => one.at - other.at);
}

/** A process that is away for long, over an instant. */
export interface PlannedOutage {
  /** Epoch ms. */
  readonly at: number;
  readonly kind: 'kill' | 'suspend';
  readonly targets: readonly string[];
  readonly lastsMs: number;
}

/** Longer than a lease: 5 s for a request and 10 s besides. */
const SUSPENDED_MS = 25_000;
const MINUTE_MS = 60_000;
/** Instants that a run has to have for them. */
const OUTAGES_NEED = 8;

/**
 * All dispatchers away for a minute, Temporal for two, and a dispatcher suspended beyond its
 * lease, each over an instant of its own with what else happens between; none in a short run.
 */
export function planOutages(instants: readonly number[]): PlannedOutage[] {
  if (instants.length < OUTAGES_NEED) return [];
  const [first = 0, second = 0, third = 0] = [3, 5, 7].map((index) => instants[index]);
  return [
    { at: first - 5_000, kind: 'kill', targets: DISPATCHERS, lastsMs: MINUTE_MS },
    { at: second - 10_000, kind: 'kill', targets: ['temporal'], lastsMs: 2 * MINUTE_MS },
    { at: third + 100, kind: 'suspend', targets: [DISPATCHERS[0]], lastsMs: SUSPENDED_MS },
  ];
}

function instantsWithHerds(instants: number): number {
  return Math.ceil(instants * WITH_HERDS);
}

function aimedOf(kills: number, instants: number): number {
  return Math.min(Math.floor(kills * AIMED), DISPATCHERS.length * instantsWithHerds(instants));
}

/** What a run has to have done to prove what it says. */
export interface Demand {
  /** Of each target. */
  readonly killsEach: number;
  readonly killsInHerds: number;
  /** Users who had to be greeted. */
  readonly due: number;
}

/** Enough for a run of any length. */
const IN_HERDS = 5;
/** Of those who are created; others are deleted, corrected or too late, or it is a matter of moments. */
const DUE = 3 / 4;

/**
 * What can be asked of a run of this size: half of the kills that are aimed, at most 5, and none
 * where the users who come due together are no herd on average.
 */
export function demandOf(kills: number, users: number, instants: number): Demand {
  const aimed = aimedOf(kills, instants);
  const hasHerds = users / instants > 2 * HERD;
  return {
    killsEach: Math.floor((kills - aimed) / TARGETS.length),
    killsInHerds: hasHerds ? Math.min(Math.ceil(aimed / 2), IN_HERDS) : 0,
    due: Math.floor(users * DUE),
  };
}

/** What was killed. */
export interface Kill {
  readonly target: string;
  /** From the nearest instant on; less than 0 before it. */
  readonly afterInstantMs: number;
  /** How many were due at it, just before: of a dispatcher. */
  readonly herd: number | null;
}

export function isInHerd({ herd, afterInstantMs }: Kill): boolean {
  return herd !== null && herd > HERD && Math.abs(afterInstantMs) <= NEAR_MS;
}

/** Kills by target; the dispatchers are one. */
export function countKills(kills: readonly Kill[]): Record<string, number> {
  const counts = Object.fromEntries(TARGETS.map((target): [string, number] => [target, 0]));
  for (const { target } of kills) {
    const name = target.replace(/-\d$/, '');
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** Where a run came to less than it had to: each a line. A run with any proves nothing. */
export function shortfallsOf(demand: Demand, kills: readonly Kill[], due: number): string[] {
  const few = Object.entries(countKills(kills))
    .filter(([, count]) => count < demand.killsEach)
    .map(([target, count]) => `${target}: killed ${count} times, not ${demand.killsEach}`);
  const inHerds = kills.filter(isInHerd).length;
  if (inHerds < demand.killsInHerds) {
    few.push(
      `dispatchers: killed ${inHerds} times in a herd of over ${HERD}, not ${demand.killsInHerds}`,
    );
  }
  if (due < demand.due) few.push(`users: ${due} were due, not ${demand.due}`);
  return few;
}
