/** `npm run demo`: with the service running, a handful of greetings while you watch. */
import { DateTime } from 'luxon';

import { CommandError, runningApi } from '../../src/cli/command.ts';
import { loadSettings } from '../../src/platform/settings/settings.ts';
import { createDemoApi, type DemoApi } from './api.ts';
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

/** Creating users takes a moment: a minute that is nearly here is skipped. */
const LEAD_MS = 5_000;
const WAIT_LIMIT_MS = 5 * 60_000;
/** From stopping the service to running the demo again, with ten seconds to start. */
const RESTART_MS = 3 * 60_000;
/** The first retries come 1, 2 and 4 s after the first attempt. */
const DELIVERY_LIMIT_MS = 60_000;

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    return await demonstrate(createDemoApi(runningApi(loadSettings())));
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    say(`${error.message}\n\nIf Daybell is not running, start it in another terminal:\n`);
    say(`  ${startCommand()}\n\nand run the demo again when it is ready.`);
    return 1;
  }
}

async function demonstrate(api: DemoApi): Promise<number> {
  const localTime = await api.deliveryLocalTime();
  const due = findDueMinute(localTime, Date.now() + LEAD_MS, Date.now() + WAIT_LIMIT_MS);
  const greets = `This Daybell greets at ${localTime} local time`;
  if (due === null) {
    say(`${greets}, which no time zone reaches within the next ${WAIT_LIMIT_MS / 60_000} minutes.`);
    say(`Stop it, and start it with a time that comes soon:\n\n  ${startCommand()}\n`);
    say('then run the demo again when it is ready.');
    return 1;
  }

  const instant = DateTime.fromMillis(due.at).toUTC().toFormat("HH:mm 'UTC'");
  say(`${greets}. Creating users whose birthday is today, where that is at ${instant}:\n`);
  const users = await createUsers(api, due);
  const until = due.at + DELIVERY_LIMIT_MS;
  const outcomes = await follow(api, users, { dueAt: due.at, until }, say);

  const lateness = outcomes.flatMap((outcome) => outcome?.latenessMs ?? []);
  say(`\n${lateness.length} of ${users.length} delivered. ${inWords(lateness)}`);
  return lateness.length === users.length ? 0 : 1;
}

async function createUsers(api: DemoApi, { at, zones }: DueMinute): Promise<DemoUser[]> {
  const users: DemoUser[] = [];
  for (const [index, [firstName, lastName]] of PEOPLE.entries()) {
    // From all over the alphabet, and so from several continents.
    const timezone = zones[Math.floor((index * zones.length) / PEOPLE.length)] ?? 'UTC';
    const dateOfBirth = birthday(at, timezone, index);
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

/** With a delivery time that is soon, but not before the service is up again. */
function startCommand(): string {
  return `DELIVERY_LOCAL_TIME=${commonestLocalTime(nextFullMinute(Date.now() + RESTART_MS))} npm start`;
}

function inWords(lateness: readonly number[]): string {
  if (lateness.length === 0) return 'Look at the terminal of npm start for the reason.';
  return `After the instant: the first ${Math.min(...lateness)} ms, the last ${Math.max(...lateness)} ms.`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
