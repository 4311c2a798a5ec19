/**
 * All of Daybell for a test file of its own: on a server that skips time, years pass in seconds.
 * Scheduler, worker and dispatcher can be away meanwhile.
 */
import type { FollowedWorkflows } from '../../support/followed-workflow.ts';
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

export interface World extends Observations, FollowedWorkflows {
  readonly receiver: WebhookReceiver;
  readonly scheduler: Part;
  readonly worker: Part;
  readonly dispatcher: Part;
  readonly api: TestDaybell['api'];
  /** The time that all of Daybell goes by, epoch ms. */
  now(): Promise<number>;
  /** Lets time pass until the instant (ISO 8601); what comes due on the way is done on the way. */
  passUntil(instant: string): Promise<void>;
  /** A year that begins later than tomorrow. */
  yearToCome(): Promise<number>;
  /** By the API, at this instant exactly or else now; gives the id. */
  createUser(fields: UserFields, at?: string): Promise<string>;
  changeUser(userId: string, fields: UserFields): Promise<void>;
  deleteUser(userId: string): Promise<void>;
  /** Resolves when every change that the API took is planned, and known to Temporal. */
  notified(): Promise<void>;
  /** As at first, for the next test; time is everybody's, so nobody is left who would be due in it. */
  tidy(): Promise<void>;
  /** Ends everything but the API: nothing plans or sends, and no timer goes off. */
  goDown(): Promise<void>;
  /** By then it is as late as it is: timers that were due meanwhile go off. */
  comeUp(): Promise<void>;
  stop(): Promise<void>;
}

const DAY = 86_400_000;

export interface WorldOptions extends Omit<DaybellOptions, 'client' | 'connection' | 'tellTime'> {
  /** Closed with the world; one that skips time by default. */
  readonly server?: TimedServer;
}

/** Without dispatchers, if nothing else is said: a timer and a retried webhook activity. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { server = await startTimeSkippingServer(), ...settings } = options;
  const { now } = server;
  let isDown = false;
  /** The clocks are ahead of the server's timers for a moment when all comes up again. */
  let aheadUntil = -Infinity;
  const tellTime = async (clock: TestClock) => clock.advance(Math.max(await now(), aheadUntil));
  const daybell = await startDaybell({ dispatches: false, ...settings, ...server, tellTime });
  const { api, receiver, clock, scheduler, worker, dispatcher } = daybell;

  return {
    ...daybell,
    ...observe({ api, receiver }),
    now,
    async passUntil(instant) {
      const at = Date.parse(instant);
      if (Number.isNaN(at)) throw new Error(`${instant} is not an instant`);
      if (isDown) aheadUntil = at;
      else await server.passUntil(at);
      await tellTime(clock);
    },
    async yearToCome() {
      return new Date((await now()) + 2 * DAY).getUTCFullYear() + 1;
    },
    async goDown() {
      isDown = true;
      await Promise.all([scheduler.stop(), worker.stop(), dispatcher.stop()]);
    },
    async comeUp() {
      isDown = false;
      await tellTime(clock);
      await Promise.all([worker.start(), scheduler.start()]);
      if (settings.dispatches) await dispatcher.start();
      await server.passUntil(aheadUntil);
    },
    async tidy() {
      await Promise.all([worker.start(), scheduler.start()]);
      receiver.answer(withStatus(200));
      await daybell.deleteAllUsers();
    },
    async stop() {
      await daybell.stop();
      await server.close();
    },
  };
}
