/** One response of the destination; instants in ms of a monotonic clock. */
export interface Answer {
  readonly startedAt: number;
  readonly endedAt: number;
  /** It was 429 or 503: the destination as a whole asks to slow down. */
  readonly refused: boolean;
  /** When it wants the next request, if it said so. */
  readonly retryAfterMs: number | null;
}

/** What the last responses ask for, taken together. */
export type Backpressure =
  /** It serves nothing: send nothing for as long as it said, or else for a while. */
  | { readonly asks: 'stop'; readonly retryAfterMs: number | null }
  /** It serves most requests: send fewer a second than this, the rate that one process has sent. */
  | { readonly asks: 'less'; readonly perSecond: number }
  /** It serves all requests. */
  | { readonly asks: 'more' }
  /** It neither serves nor refuses (timeouts, 500s), or refuses too few to judge by. */
  | { readonly asks: 'nothing' };

/** Evaluates at most this many responses, and none older than this, in ms. */
export const WINDOW = { answers: 100, ageMs: 10_000 } as const;

/** If half of the responses are refusals, sending more only makes more of them. */
const STOP_SHARE = 0.5;
/** A few unlucky responses at the start of a herd must not stop it. */
const ENOUGH_TO_STOP = 10;
/** One refusal in twenty is an overload; fewer are simply retried. */
const LESS_SHARE = 0.05;
/**
 * With this, a receiver that refuses at random, at any rate, is not slowed below some 50 a second.
 */
const ENOUGH_FOR_LESS = 50;
/** Responses can arrive closer together than the requests were processed. */
const SHORTEST_SPAN_MS = 10;

/**
 * Whether the responses in the window ask for a slow-down; null if not, or if there are too few to
 * judge by.
 *
 * @param open requests without a response yet: if none, no more responses will come
 */
export function backpressureOf(
  answers: readonly Answer[],
  open: number,
): Extract<Backpressure, { asks: 'stop' | 'less' }> | null {
  const refusals = answers.filter(({ refused }) => refused);
  const share = refusals.length / Math.max(answers.length, 1);
  if (share >= STOP_SHARE && (answers.length >= ENOUGH_TO_STOP || open === 0)) {
    // Receivers spread these times: the destination is tried at the first, each row at its own.
    const asked = refusals.flatMap(({ retryAfterMs }) => retryAfterMs ?? []);
    return { asks: 'stop', retryAfterMs: asked.length === 0 ? null : Math.min(...asked) };
  }
  if (share >= LESS_SHARE && answers.length >= ENOUGH_FOR_LESS) {
    return { asks: 'less', perSecond: rateOf(answers) };
  }
  return null;
}

/** Over the last second: before that, the rate may have been lower. */
function rateOf(answers: readonly Answer[]): number {
  const until = Math.max(...answers.map(({ endedAt }) => endedAt));
  const latest = answers.filter(({ endedAt }) => endedAt > until - 1000);
  const from = Math.min(...latest.map(({ startedAt }) => startedAt));
  return (latest.length * 1000) / Math.max(until - from, SHORTEST_SPAN_MS);
}
