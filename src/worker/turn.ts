import type { Build, KnownBuild, WorkOfQueue } from '../temporal/worker-versions.ts';

/** What a worker has to do about the version that is given work. */
export type Turn =
  /** Nothing: it is its own. */
  | 'ours'
  /** Its build has never had the work: this is the rollout. */
  | 'new'
  /** No worker of the version that has it is left. */
  | 'abandoned'
  /** It is another's, and that one is at work. */
  | 'theirs'
  /** Temporal does not know of this worker yet. */
  | 'unknown';

/**
 * A rollout cannot be forgotten, and is not undone by a worker of before that happens to start
 * again: a build takes the work once by itself, when it first comes, and otherwise only from one
 * that has no workers any more. Docs/adr/0014-worker-versions.md.
 *
 * @param known those that Temporal knows of; none is needed while the work is its own
 */
export function turnOf(
  own: Build,
  { current, alive }: WorkOfQueue,
  known: readonly KnownBuild[],
): Turn {
  if (current === own) return 'ours';
  if (!alive.has(own)) return 'unknown';
  if (known.some(({ buildId, wasCurrent }) => buildId === own && !wasCurrent)) return 'new';
  if (own !== null && !known.some(({ buildId }) => buildId === own)) return 'unknown';
  return alive.has(current) ? 'theirs' : 'abandoned';
}
