/** Which process is killed when, by the seed; what a run has to come to by it; and whether it did. */
import { nodesOf } from '../../dev/temporal/production.ts';
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
  readonly targets: Targets;
  readonly kills: number;
  /** Epoch ms, ascending. */
  readonly instants: readonly number[];
  readonly from: number;
  readonly until: number;
  readonly draw: Random;
}

/** The processes of each kind, by its name. */
export type Targets = Readonly<Record<string, readonly string[]>>;

const DISPATCHERS = ['dispatcher-1', 'dispatcher-2'] as const;
/** Of all kills, those of a dispatcher while a herd is due. */
const AIMED = 1 / 4;
/** Users are due at any instant that is still to come when they are created: the first ones have few. */
const WITH_HERDS = 2 / 3;
/** While it is sent, which takes a part of a second. */
const IN_HERD_MS = { least: 0, most: 400 };

/** What can be killed: of a Temporal cluster, each service is a kind. */
export function targetsOf(temporalNodes: number): Targets {
  const temporal = nodesOf(temporalNodes).map(({ name }) => name);
  return {
    api: ['api'],
    worker: ['worker'],
    dispatcher: DISPATCHERS,
    scheduler: ['scheduler'],
    ...Object.fromEntries(Map.groupBy(temporal, kindOf)),
    postgres: ['postgres'],
  };
}

/** A dispatcher at the instants that have herds, the largest first; all targets in turn, a new order each time, in between. */
export function planKills(options: KillPlanOptions): PlannedKill[] {
  const { targets, kills, instants, from, until, draw } = options;
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
  const kinds: string[] = [];
  while (kinds.length < rest) kinds.push(...draw.shuffle(Object.keys(targets)));
  const spacing = (until - from) / Math.max(rest, 1);
  const oneOf = (processes: readonly string[]): string =>
    processes.length === 1 ? String(processes[0]) : draw.pick(processes);
  const inTurn = kinds.slice(0, rest).map((kind, index) => ({
    at: from + spacing * (index + draw.between(0.1, 0.9)),
    target: oneOf(targets[kind] ?? []),
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
/** Longer than the others take to notice that a node is gone, and to take over what it had. */
const NODE_AWAY_MS = 30_000;
/** Instants that a run has to have for them. */
const OUTAGES_NEED = 8;

/**
 * All dispatchers away for a minute, Temporal for two, or one node of each kind after the other,
 * and a dispatcher suspended beyond its lease, each over an instant of its own with what else
 * happens between; none in a short run.
 */
export function planOutages(instants: readonly number[], temporalNodes: number): PlannedOutage[] {
  if (instants.length < OUTAGES_NEED) return [];
  const [first = 0, second = 0, third = 0, fourth = 0, fifth = 0] = instants.slice(3);
  const ofTemporal =
    temporalNodes === 1
      ? [killed(third - 10_000, 2 * MINUTE_MS, 'temporal')]
      : [
          killed(second - 3_000, NODE_AWAY_MS, 'temporal-frontend-1'),
          killed(third - 3_000, NODE_AWAY_MS, 'temporal-history-1'),
          killed(fourth - 3_000, NODE_AWAY_MS, 'temporal-matching-1'),
        ];
  return [
    killed(first - 5_000, MINUTE_MS, ...DISPATCHERS),
    ...ofTemporal,
    { at: fifth + 100, kind: 'suspend', targets: [DISPATCHERS[0]], lastsMs: SUSPENDED_MS },
  ];
}

function killed(at: number, lastsMs: number, ...targets: string[]): PlannedOutage {
  return { at, kind: 'kill', targets, lastsMs };
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
export function demandOf(kills: number, users: number, instants: number, targets: Targets): Demand {
  const aimed = aimedOf(kills, instants);
  const hasHerds = users / instants > 2 * HERD;
  return {
    killsEach: Math.floor((kills - aimed) / Object.keys(targets).length),
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

/** Kills by kind. */
export function countKills(kills: readonly Kill[], targets: Targets): Record<string, number> {
  const killed = kills.map(({ target }) => kindOf(target));
  return Object.fromEntries(
    Object.keys(targets).map((kind) => [kind, killed.filter((each) => each === kind).length]),
  );
}

function kindOf(target: string): string {
  return target.replace(/-\d$/, '');
}

/** Where a run came to less than it had to: each a line. A run with any proves nothing. */
export function shortfallsOf(
  demand: Demand,
  kills: readonly Kill[],
  due: number,
  targets: Targets,
): string[] {
  const few = Object.entries(countKills(kills, targets))
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
