import { createCompletion } from './completion.ts';
import { violated, type Path } from './invariants.ts';
import { explore, firstState } from './model.ts';
import { encode } from './encode.ts';
import type { State } from './state.ts';
import type { Presence, World } from './world.ts';

export interface Exploration {
  readonly states: number;
  readonly violation: Violation | null;
}

export interface Violation {
  readonly invariant: string;
  /** The shortest way there, a step a line. */
  readonly trace: readonly string[];
}

export interface Liveness {
  readonly path: Path;
  readonly presence?: Presence;
}

/**
 * Breadth first over all interleavings, up to the first violation, which so is one with the
 * fewest steps. From each state on, each of `paths` must get everything settled alone.
 */
export function exploreAll(
  world: World,
  paths: readonly Liveness[],
  limit = 3_000_000,
): Exploration {
  const completions = paths.map(({ path, presence }) => createCompletion(world, path, presence));
  const first = firstState(world.bounds);
  const seen = new Map<string, number>([[encode(first), 0]]);
  const parents: number[] = [-1];
  const labels: string[] = [''];
  const found: { violation: Violation | null } = { violation: null };

  const traceOf = (id: number): string[] => {
    const trace: string[] = [];
    for (let at = id; at > 0; at = parents[at] ?? 0) trace.unshift(labels[at] ?? '');
    return trace;
  };
  const look = (s: State, id: number): void => {
    const invariant = violated(s);
    if (invariant !== null) {
      found.violation = { invariant, trace: traceOf(id) };
      return;
    }
    for (const [index, completion] of completions.entries()) {
      const failed = completion.check(s);
      if (failed === null) continue;
      const only = `-- from here on only the ${paths[index]?.path} path is alive`;
      found.violation = {
        invariant: failed.invariant,
        trace: [...traceOf(id), only, ...failed.steps],
      };
      return;
    }
  };

  let layer: { s: State; id: number }[] = [{ s: first, id: 0 }];
  look(first, 0);
  while (layer.length > 0 && found.violation === null) {
    const nextLayer: { s: State; id: number }[] = [];
    for (const { s, id } of layer) {
      explore(s, world, (label, next) => {
        if (found.violation !== null) return;
        const key = encode(next);
        if (seen.has(key) && next.seen.violation === null) return;
        const nextId = parents.length;
        seen.set(key, nextId);
        parents.push(id);
        labels.push(label);
        look(next, nextId);
        nextLayer.push({ s: next, id: nextId });
      });
      if (found.violation !== null) break;
      if (parents.length > limit) throw new Error(`More than ${limit} states`);
    }
    layer = nextLayer;
  }
  return { states: parents.length, ...found };
}
