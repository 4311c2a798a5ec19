/**
 * All of Daybell for a test file of its own: on a server that skips time, years pass in seconds.
 * Scheduler, worker and dispatcher can be away meanwhile.
 */
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, test } from 'vitest';

import { BIRTHDAY } from '../../../src/ledger/occurrence-key.ts';
import type { OccasionRef } from '../../../src/ledger/types.ts';
import {
  type DaybellOptions,
  type Part,
  startDaybell,
  type TestDaybell,
  type UserFields,
} from '../../support/daybell.ts';
import { startTimeSkippingServer } from '../../support/temporal.ts';
import type { TestClock } from '../../support/test-clock.ts';
import type { TimedServer } from '../../support/time-skipping-server.ts';
import { withStatus, type WebhookReceiver } from '../../support/webhook-receiver.ts';
import { observe, type Observations } from './observe.ts';

/** Each of these is sent once a year, under a key that names the year. */
export const YEARLY_TYPES = [BIRTHDAY, 'anniversary'] as const;

export interface World
  extends Observations, Pick<TestDaybell, 'createOccasion' | 'deleteOccasion' | 'deleteUser'> {
  readonly receiver: WebhookReceiver;
  readonly scheduler: Part;
  readonly worker: Part;
  readonly dispatcher: Part;
  readonly api: TestDaybell['api'];
  /** The time that all of Daybell uses, epoch ms. */
  now(): Promise<number>;
  /**
   * Lets time pass until the instant (ISO 8601); whatever falls due on the way is done on the way.
   */
  passUntil(instant: string): Promise<void>;
  /** A year that begins later than tomorrow. */
  yearToCome(): Promise<number>;
  /** The occasion that a test is about: initially the birthday. */
  type: (typeof YEARLY_TYPES)[number];
  /**
   * By the API, at this instant exactly or else now; gives the id. When the test is about
   * anniversaries, `dateOfBirth` is the date of one, and the birthday is another day.
   */
  createUser(fields: UserFields, at?: string): Promise<string>;
  /** `dateOfBirth` is the date of the occasion that the test is about, here too. */
  changeUser(userId: string, fields: UserFields): Promise<void>;
  /** The id by which the receiver deduplicates: `webhook-id`. */
  key(userId: string, year: number): string;
  workflowOf(userId: string): WorkflowHandle;
  /** Resolves when every change that the API accepted is planned, and known to Temporal. */
  notified(): Promise<void>;
  /** As at first, for the next test; time is everybody's, so nobody is left who would be due in it. */
  tidy(): Promise<void>;
  /** No timer fires, and everything else continues. */
  holdTimers(): void;
  /** Timers that were due meanwhile go off: by then it is as late as it is. */
  releaseTimers(): Promise<void>;
  /** Ends everything but the API: nothing plans or sends, and no timer goes off. */
  goDown(): Promise<void>;
  /** By then it is as late as it is: timers that were due meanwhile go off. */
  comeUp(): Promise<void>;
  stop(): Promise<void>;
}

const DAY = 86_400_000;
/** The birthday of users whose anniversary a test is about. */
const ANOTHER_DAY = '1980-08-15';

export interface WorldOptions extends Omit<DaybellOptions, 'client' | 'connection' | 'tellTime'> {
  /** Options of a server that is closed with the world; a time-skipping one by default. */
  readonly startServer?: () => Promise<TimedServer>;
}

/**
 * A world for the file that calls it, and its `test`: what holds for a birthday holds for an
 * anniversary of that date.
 */
export function useWorld(options: WorldOptions = {}) {
  let running: World;
  beforeAll(async () => {
    running = await startWorld(options);
  });
  afterAll(() => running.stop());
  afterEach(() => running.tidy());
  return {
    // There is none before the hooks have run.
    world: new Proxy({} as World, { get: (_, name: keyof World) => running[name] }),
    /** Registers both. */
    test(name: string, body: () => Promise<void>, options: { readonly timeout?: number } = {}) {
      // What is expected is in the body.
      // oxlint-disable-next-line vitest/expect-expect
      test.for(YEARLY_TYPES)(`${name} (%s)`, options, async (type) => {
        running.type = type;
        await body();
      });
    },
  };
}

/** Without dispatchers by default: a timer and a retried webhook activity. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { startServer = startTimeSkippingServer, ...settings } = options;
  const server = await startServer();
  const { now } = server;
  let areTimersHeld = false;
  /** The clocks are ahead of the server's timers while these are held, and for a moment after it. */
  let aheadUntil = -Infinity;
  const tellTime = async (clock: TestClock) => clock.advance(Math.max(await now(), aheadUntil));
  const daybell = await startDaybell({ dispatches: false, ...settings, ...server, tellTime });
  const { api, receiver, clock, scheduler, worker, dispatcher } = daybell;

  /** By user, for those who were created with one. */
  const anniversaries = new Map<string, OccasionRef>();
  const occasionOf = (userId: string): OccasionRef =>
    anniversaries.get(userId) ?? { type: BIRTHDAY, id: userId };
  const workflowOf = (userId: string): WorkflowHandle => {
    const occasion = occasionOf(userId);
    return daybell.workflowOf(occasion.id, occasion.type);
  };

  const world: World = {
    ...daybell,
    ...observe({ api, receiver, occasionOf }),
    type: BIRTHDAY,
    now,
    workflowOf,
    async passUntil(instant) {
      const at = Date.parse(instant);
      if (Number.isNaN(at)) throw new Error(`${instant} is not an instant`);
      if (areTimersHeld) aheadUntil = at;
      else await server.passUntil(at);
      await tellTime(clock);
    },
    async yearToCome() {
      return new Date((await now()) + 2 * DAY).getUTCFullYear() + 1;
    },
    async createUser(fields, at) {
      const { type } = world;
      if (type === BIRTHDAY) return daybell.createUser(fields, at);
      const userId = await daybell.createUser({ ...fields, dateOfBirth: ANOTHER_DAY }, at);
      const anniversary = { type, date: fields.dateOfBirth };
      const id = await daybell.createOccasion(userId, anniversary, at);
      anniversaries.set(userId, { type, id });
      return userId;
    },
    async changeUser(userId, fields) {
      const anniversary = anniversaries.get(userId);
      if (anniversary === undefined) return daybell.changeUser(userId, fields);
      const { dateOfBirth: date, ...others } = fields;
      if (date !== undefined) await daybell.changeOccasion(userId, anniversary.id, { date });
      if (Object.keys(others).length > 0) await daybell.changeUser(userId, others);
    },
    key(userId, year) {
      const occasion = occasionOf(userId);
      return `${occasion.type}:${occasion.id}:${year}`;
    },
    holdTimers() {
      areTimersHeld = true;
    },
    async releaseTimers() {
      areTimersHeld = false;
      await server.passUntil(aheadUntil);
    },
    async goDown() {
      world.holdTimers();
      await Promise.all([scheduler.stop(), worker.stop(), dispatcher.stop()]);
    },
    async comeUp() {
      await tellTime(clock);
      await Promise.all([worker.start(), scheduler.start()]);
      if (settings.dispatches) await dispatcher.start();
      await world.releaseTimers();
    },
    async tidy() {
      await Promise.all([worker.start(), scheduler.start()]);
      receiver.answer(withStatus(200));
      await daybell.deleteAllUsers();
      for (const userId of anniversaries.keys()) await workflowOf(userId).result();
      anniversaries.clear();
    },
    async stop() {
      await daybell.stop();
      await server.close();
    },
  };
  return world;
}
