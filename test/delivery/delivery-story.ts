/**
 * One occurrence, followed through all its attempts with a clock that jumps from one to the next.
 */
import { expect, vi } from 'vitest';

import { HOUR, WITHIN, type DispatcherFixture } from '../support/dispatcher-fixture.ts';
import type { TestDispatcherOptions } from '../support/test-dispatcher.ts';

export interface Story {
  readonly state: string;
  readonly reason: string | null;
  readonly attempts: readonly AttemptRow[];
  /** The pause after each attempt but the last, in ms. */
  readonly pauses: readonly number[];
}

export interface AttemptRow {
  readonly outcome: string;
  readonly status: number | null;
  readonly errorCode: string | null;
  readonly excerpt: string | null;
}

const GIVE_UP_AFTER = 72 * HOUR;
/**
 * The attempts that are followed one by one: those with short pauses, and the first with a long
 * one.
 */
const FOLLOWED = 4;

/**
 * Delivers one occurrence with a dispatcher of these options until it is settled. After four
 * attempts time goes on to the moment of giving up, when the last one is made.
 */
export async function deliver(
  fixture: DispatcherFixture,
  options: Partial<TestDispatcherOptions> = {},
): Promise<Story> {
  const skew = { ms: 0 };
  const clock = (): number => Date.now() + skew.ms;
  const goTo = async (instant: number): Promise<void> => {
    skew.ms = Math.max(skew.ms, instant - Date.now());
    await fixture.rows.shiftClock(skew.ms);
  };
  const key = await fixture.planned(await fixture.rows.addUser(), Date.now() - 100);
  const { logged } = await fixture.dispatch({ clock, ...options });

  const pauses: number[] = [];
  for (let made = 1; ; made += 1) {
    await vi.waitFor(
      async () => expect((await fixture.rows.find(key)).attempts).toBe(made),
      WITHIN,
    );
    const last = await fixture.rows.find(key);
    const { state, reason, nextAttemptAt, firstAttemptAt, retryNotBefore } = last;
    if (nextAttemptAt === null) {
      const attempts = await fixture.rows.sql<AttemptRow>(ATTEMPTS, [key]);
      expectDiscreet(JSON.stringify(logged), attempts);
      return { state, reason, attempts, pauses };
    }
    // Recorded after the attempt: at another time, the receiver would have asked for it then.
    if (retryNotBefore !== null && retryNotBefore > clock() + 1_000) {
      await vi.waitFor(async () => expect(await isHeld(fixture)).toBe(true), WITHIN);
    }
    pauses.push(nextAttemptAt - (await endOfLast(fixture, key)));
    await goTo(made < FOLLOWED ? nextAttemptAt : (firstAttemptAt ?? 0) + GIVE_UP_AFTER);
  }
}

/** In any case, the log has a line for each attempt, and neither what was sent nor the response. */
function expectDiscreet(log: string, attempts: readonly AttemptRow[]): void {
  expect(log.split('"msg":"attempt"')).toHaveLength(attempts.length + 1);
  expect(log).not.toContain('Lovelace');
  expect(log).not.toContain('http');
  for (const { excerpt } of attempts) {
    if (excerpt !== null) expect(log).not.toContain(JSON.stringify(excerpt).slice(1, -1));
  }
}

/** Nothing is sent to the receiver before an instant that it asked for. */
async function isHeld({ rows }: DispatcherFixture): Promise<boolean> {
  const held = 'select 1 from events.destinations where slowed_until > events.clock()';
  return (await rows.sql(held)).length > 0;
}

async function endOfLast(fixture: DispatcherFixture, key: string): Promise<number> {
  const [last] = await fixture.rows.sql<{ endedAt: number }>(
    `select (extract(epoch from started_at) * 1000)::float8 + duration_ms as "endedAt"
     from events.attempts where occurrence_key = ? order by number desc limit 1`,
    [key],
  );
  return last?.endedAt ?? Number.NaN;
}

const ATTEMPTS = `
  select outcome, status, error_code as "errorCode", response_excerpt as excerpt
  from events.attempts where occurrence_key = ? order by number`;
