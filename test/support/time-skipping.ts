import { startDaybell, type TestDaybell } from './daybell.ts';
import { startTimeSkippingServer } from './temporal.ts';

/** Daybell on a server that skips time: years pass in seconds. */
export interface TimeSkippingDaybell extends TestDaybell {
  /** The server's time, epoch ms. */
  now(): Promise<number>;
  /** Lets time pass until the instant; what comes due on the way is done on the way. */
  skipTo(instant: number): Promise<void>;
}

/**
 * Arms at the fire instant itself: the server skips no time while an activity is open, so
 * with a lead the test would have to sit it out.
 */
export async function startTimeSkippingDaybell(): Promise<TimeSkippingDaybell> {
  const server = await startTimeSkippingServer();
  const { client, connection, now } = server;
  const daybell = await startDaybell({
    client,
    connection,
    tellTime: async (clock) => clock.advance(await now()),
  });
  return {
    ...daybell,
    now,
    skipTo: server.passUntil,
    async stop() {
      await daybell.stop();
      await server.close();
    },
  };
}
