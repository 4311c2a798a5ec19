/** `npm run demo`: with the service running, a handful of greetings while you watch. */
import { setTimeout as sleep } from 'node:timers/promises';

import { DateTime } from 'luxon';

import { CommandError, EXIT, refusedBy, runningApi } from '../../src/cli/command.ts';
import { loadSettings } from '../../src/platform/settings/settings.ts';
import { findDueMinute } from './zones.ts';

interface Occurrence {
  readonly status: string;
  readonly reason: string | null;
  readonly dueAt: string | null;
  readonly latenessMs: number | null;
}

interface DemoUser {
  readonly id: string;
  readonly who: string;
}

const PEOPLE = [
  ['Ada', 'Lovelace'],
  ['Alan', 'Turing'],
  ['Grace', 'Hopper'],
  ['Katherine', 'Johnson'],
  ['Edsger', 'Dijkstra'],
] as const;
const SETTLED = new Set(['COMPLETED', 'FAILED', 'SKIPPED']);

const ANSWER_LIMIT_MS = 5_000;
const LOOK_EVERY_MS = 250;
/** Creating users takes a moment: a minute that is about to begin is skipped. */
const LEAD_MS = 5_000;
const WAIT_LIMIT_MS = 5 * 60_000;
/** The time from stopping the service to running the demo again, with ten seconds to start. */
const RESTART_MS = 3 * 60_000;
/** The first retries come 1, 2 and 4 s after the first attempt. */
const DELIVERY_LIMIT_MS = 60_000;

const api = runningApi(loadSettings());
try {
  await demonstrate();
} catch (error) {
  if (!(error instanceof CommandError)) throw error;
  say(`${error.message}\n\nIn another terminal, stop Daybell if it runs, and start it:\n`);
  say(`  ${startCommand()}\n\nthen run the demo again when it is ready.`);
  process.exitCode = 1;
}

async function demonstrate(): Promise<void> {
  const localTime = await deliveryLocalTime();
  const due = findDueMinute(localTime, Date.now() + LEAD_MS, Date.now() + WAIT_LIMIT_MS);
  if (due === null) {
    throw new CommandError(
      `This Daybell greets at ${localTime} local time, which no time zone reaches within the next ${WAIT_LIMIT_MS / 60_000} minutes.`,
      EXIT.failed,
    );
  }
  const instant = DateTime.fromMillis(due.at).toUTC().toFormat("HH:mm 'UTC'");
  say(`This Daybell greets at ${localTime} local time.`);
  say(`Creating users whose birthday is today, where that is at ${instant}:\n`);
  const users: DemoUser[] = [];
  for (const [index, name] of PEOPLE.entries()) {
    // Spread over the alphabet, and therefore over several continents.
    const timezone = due.zones[Math.floor((index * due.zones.length) / PEOPLE.length)] ?? 'UTC';
    users.push(await createUser(name, timezone, birthday(due.at, timezone, index)));
  }
  const arrived = await Promise.all(users.map((user) => follow(user, due.at)));
  const delivered = arrived.filter(Boolean).length;
  say(`\n${delivered} of ${users.length} delivered.`);
  if (delivered < users.length) {
    say('Look at the terminal of npm start for the reason.');
    process.exitCode = 1;
  }
}

/** Follows a user's greeting until it is settled or takes too long, printing its state; returns whether it arrived. */
async function follow({ id, who }: DemoUser, dueAt: number): Promise<boolean> {
  let last = '';
  while (!SETTLED.has(last) && Date.now() < dueAt + DELIVERY_LIMIT_MS) {
    const { status = 'created', latenessMs, reason } = await findOccurrence(id, dueAt);
    if (status !== last) {
      const outcome = status === 'COMPLETED' ? `${latenessMs} ms after the instant` : reason;
      say(`  ${who}  ${status} ${outcome ?? ''}`);
    }
    last = status;
    await sleep(LOOK_EVERY_MS);
  }
  return last === 'COMPLETED';
}

/** HH:MM, as configured in the running service. */
async function deliveryLocalTime(): Promise<string> {
  // No local time is skipped in UTC: the answer is the setting.
  const user = { dateOfBirth: '1990-01-15', timezone: 'UTC' };
  type Preview = { readonly occurrences: readonly [{ readonly localTime: string }] };
  const preview = await call<Preview>('POST', '/v1/occurrences/preview', user);
  return preview.occurrences[0].localTime;
}

async function createUser(
  [firstName, lastName]: (typeof PEOPLE)[number],
  timezone: string,
  dateOfBirth: string,
): Promise<DemoUser> {
  const user = { firstName, lastName, dateOfBirth, timezone };
  const { id } = await call<{ id: string }>('POST', '/v1/users', user);
  return { id, who: `${firstName} ${lastName}`.padEnd(19) + timezone.padEnd(24) };
}

/** The occurrence that is due at an instant (epoch ms); empty until it is planned. */
async function findOccurrence(userId: string, dueAt: number): Promise<Partial<Occurrence>> {
  const path = `/v1/users/${userId}/occurrences`;
  const { occurrences } = await call<{ occurrences: Occurrence[] }>('GET', path);
  const due = new Date(dueAt).toISOString();
  return occurrences.find((one) => one.dueAt === due) ?? {};
}

/** @throws CommandError when the API does not answer, or refuses */
async function call<Answer>(method: string, path: string, body?: object): Promise<Answer> {
  const response = await fetch(`${api.url}${path}`, {
    method,
    signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    headers: { ...api.headers, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch(() => null);
  if (response === null) {
    throw new CommandError(`${api.url} (HOST, PORT) does not answer.`, EXIT.unavailable);
  }
  const answer = await response.text();
  if (!response.ok) throw new CommandError(refusedBy(api, response, answer), EXIT.unavailable);
  return JSON.parse(answer) as Answer;
}

/** The current day there, some years ago; a multiple of four, in case of 29 February. */
function birthday(atMs: number, timezone: string, index: number): string {
  const today = DateTime.fromMillis(atMs, { zone: timezone });
  return today.minus({ years: 32 + 4 * index }).toISODate() ?? '';
}

/** With a delivery time that is soon, but not before the service is up again. */
function startCommand(): string {
  const soon = DateTime.fromMillis(Date.now() + RESTART_MS).toUTC();
  return `DELIVERY_LOCAL_TIME=${soon.toFormat('HH:mm')} npm start`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
