/** `npm run demo`: with the service running, a handful of greetings while you watch. */
import { DateTime } from 'luxon';

import { runningApi } from '../../cli/command.ts';
import { loadSettings } from '../../platform/settings/settings.ts';
import { createDemoApi, NotAllowedError, NotRunningError, type DemoApi } from './api.ts';
import { follow, type DemoUser } from './follow.ts';
import { commonestLocalTime, findDueMinute, nextFullMinute, type DueMinute } from './zones.ts';

const PEOPLE = [
  ['Ada', 'Lovelace'],
  ['Alan', 'Turing'],
  ['Grace', 'Hopper'],
  ['Katherine', 'Johnson'],
  ['Edsger', 'Dijkstra'],
] as const;
const YOUNGEST_YEARS = 30;

/** Creating them takes a moment: a minute that is nearly here is not waited for. */
const LEAD_MS = 5_000;
const WAIT_LIMIT_MS = 5 * 60_000;
/** From stopping the service to running the demo again, with ten seconds to start. */
const RESTART_MS = 3 * 60_000;
/** The first retries come 1, 2 and 4 s after the first attempt. */
const DELIVERY_LIMIT_MS = 60_000;

process.exitCode = await main();

async function main(): Promise<number> {
  const api = createDemoApi(runningApi(loadSettings()));
  try {
    return await demonstrate(api);
  } catch (error) {
    if (error instanceof NotAllowedError) {
      say(error.message);
      return 1;
    }
    if (!(error instanceof NotRunningError)) throw error;
    say(`${error.message}: is Daybell running? (PORT and HOST say where the demo looks.)\n`);
    say(`Start it in another terminal:\n\n  ${startCommand()}\n`);
    say('and run the demo again when it is ready.');
    return 1;
  }
}

async function demonstrate(api: DemoApi): Promise<number> {
  const localTime = await api.deliveryLocalTime();
  const due = findDueMinute(localTime, Date.now() + LEAD_MS, Date.now() + WAIT_LIMIT_MS);
  if (due === null) {
    say(`This Daybell greets at ${localTime} local time, and in no time zone is it ${localTime}`);
    say(
      `within the next ${WAIT_LIMIT_MS / 60_000} minutes. Stop it, and start it with a time that comes soon:\n`,
    );
    say(`  ${startCommand()}\n`);
    say('then run the demo again when it is ready.');
    return 1;
  }

  say(
    `This Daybell greets at ${localTime} local time. Creating users whose birthday is today, where`,
  );
  say(
    `it will be ${localTime} at ${DateTime.fromMillis(due.at).toUTC().toFormat("HH:mm 'UTC'")}:\n`,
  );
  const users = await createUsers(api, due);
  const outcomes = await follow({
    api,
    users,
    dueAt: due.at,
    until: due.at + DELIVERY_LIMIT_MS,
    write: (text) => void process.stdout.write(text),
    live: process.stdout.isTTY,
  });

  const lateness = outcomes.flatMap((outcome) => outcome?.latenessMs ?? []);
  say(`\n${lateness.length} of ${users.length} delivered. ${inWords(lateness)}`);
  return lateness.length === users.length ? 0 : 1;
}

async function createUsers(api: DemoApi, due: DueMinute): Promise<DemoUser[]> {
  const users: DemoUser[] = [];
  for (const [index, [firstName, lastName]] of PEOPLE.entries()) {
    const timezone = due.zones[index % due.zones.length] ?? 'UTC';
    const dateOfBirth = birthday(due.at, timezone, index);
    const id = await api.createUser({ firstName, lastName, dateOfBirth, timezone });
    users.push({ id, name: `${firstName} ${lastName}`, timezone });
  }
  return users;
}

/** Today there, some years ago; on a 29 February, a multiple of four years. */
function birthday(atMs: number, timezone: string, index: number): string {
  const today = DateTime.fromMillis(atMs, { zone: timezone });
  const isLeapDay = today.month === 2 && today.day === 29;
  const years = isLeapDay ? 32 + 4 * index : YOUNGEST_YEARS + index;
  return today.minus({ years }).toISODate() ?? '';
}

/** A delivery time that is soon, but not before the service is up again. */
function startCommand(): string {
  return `DELIVERY_LOCAL_TIME=${commonestLocalTime(nextFullMinute(Date.now() + RESTART_MS))} npm start`;
}

function inWords(lateness: readonly number[]): string {
  const sorted = [...lateness].sort((a, b) => a - b);
  const [first] = sorted;
  if (first === undefined) return 'Look at the terminal of npm start for the reason.';
  return `After the instant: the first ${first} ms, the last ${sorted.at(-1)} ms.`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
