/** `npm start` with nothing given: its own database, Temporal and receiver. */
import { beforeAll, expect, test } from 'vitest';

import { findDevServerProgram } from '../support/temporal.ts';
import { createUser, minuteToCome, occurrenceThat, send } from './support/birthdays.ts';
import { runDaybell, startDaybell, stillRunning, temporaryDataDir } from './support/daybell.ts';

beforeAll(findDevServerProgram, 25 * 60_000);

test(
  'prints the greeting once, refuses a second start, stops in order, and finds its users again',
  { timeout: 240_000 },
  async () => {
    const due = minuteToCome(45_000);
    const settings = {
      DATA_DIR: await temporaryDataDir(),
      DELIVERY_LOCAL_TIME: due.DELIVERY_LOCAL_TIME,
    };
    const daybell = await startDaybell(settings);
    const userId = await createUser(daybell, due.dateOfBirth);
    expect(await readiness(daybell.url)).toBe(200);

    const second = runDaybell(settings);
    expect(await second.exited).toBe(1);
    expect(second.lines.join('\n')).toMatch(/already runs on DATA_DIR .* \(process \d+\)/);
    expect(await readiness(daybell.url)).toBe(200);

    await daybell.terminal.line(/Hey, Ada Lovelace it's your birthday/);
    await occurrenceThat(daybell, userId, ({ state }) => state === 'COMPLETED');
    await occurrenceThat(daybell, userId, ({ state }) => state === 'PENDING');
    const greetings = daybell.terminal.lines.filter((line) => /receiver .*birthday:/.test(line));
    expect(greetings).toHaveLength(1);
    expect(greetings[0]).toMatch(/ · \d+ ms after its instant · birthday:/);

    const processes = daybell.processes();
    expect(processes.map(({ name }) => name).sort()).toEqual([
      'api',
      'dispatcher',
      'postgres',
      'receiver',
      'relay',
      'supervisor',
      'temporal',
      'worker',
    ]);
    expect(await daybell.terminal.stop('SIGINT')).toBe(0);
    expect(stillRunning(processes)).toEqual([]);
    expect(daybell.terminal.lines.at(-1)).toMatch(/stopped$/);

    const again = await startDaybell(settings);
    expect(await send(again, 'GET', `/v1/users/${userId}`)).toMatchObject({ firstName: 'Ada' });
    expect(await again.terminal.stop('SIGTERM')).toBe(0);
  },
);

async function readiness(url: string): Promise<number> {
  return (await fetch(`${url}/readyz`)).status;
}
