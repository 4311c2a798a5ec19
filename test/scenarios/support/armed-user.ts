/** A user shortly before 9:00 on the real server, and a receiver that keeps them waiting. */
import type { ServerResponse } from 'node:http';

import { expect } from 'vitest';

import { daysFrom, key, WAIT } from './expectations.ts';
import type { World } from './world.ts';

/** Instants are ISO 8601. */
export interface ArmedUser {
  readonly userId: string;
  readonly webhookId: string;
  readonly planned: string;
  /** Five days after it, and so the instant of a corrected date of birth. */
  readonly corrected: string;
  /** A year after the corrected one. */
  readonly nextYear: string;
}

/** So long before 9:00 that a busy machine has time for what a test does before it. */
const SHORTLY_MS = 120_000;

/** 9:00 in Tokyo is 00:00Z. The world's arming lead must be months. */
export async function armedUser(world: World): Promise<ArmedUser> {
  const [user] = await armedUsers(world, 1);
  return user as ArmedUser;
}

/** Of one instant. Time passes when all of them are armed. */
export async function armedUsers(world: World, count: number): Promise<ArmedUser[]> {
  const planned = await dayToCome(world);
  const users = await Promise.all(Array.from({ length: count }, () => arm(world, planned)));
  await world.passUntil(new Date(Date.parse(planned) - SHORTLY_MS).toISOString());
  return users;
}

async function arm(world: World, planned: string): Promise<ArmedUser> {
  const corrected = daysFrom(planned, 5);
  const userId = await world.createUser({
    dateOfBirth: `1990${planned.slice(4, 10)}`,
    timezone: 'Asia/Tokyo',
  });
  await expect
    .poll(() => world.ledgerOf(userId), WAIT)
    .toMatchObject([{ state: 'PROCESSING', fireAt: planned, attempts: [] }]);
  const nextYear = `${Number(corrected.slice(0, 4)) + 1}${corrected.slice(4)}`;
  return { userId, webhookId: key(userId, yearOf(planned)), planned, corrected, nextYear };
}

export function yearOf(instant: string): number {
  return Number(instant.slice(0, 4));
}

/** The receiver takes requests and says nothing, until what this gives is called. */
export function holdAnswers(world: World): (status: number) => void {
  const held: ServerResponse[] = [];
  world.receiver.answer((response) => held.push(response));
  return (status) => {
    world.receiver.answer((response) => response.end());
    for (const response of held) response.writeHead(status).end();
  };
}

/** The birthday that begins in ten days; that of the correction is in the same year. */
async function dayToCome(world: World): Promise<string> {
  const today = new Date(await world.now()).toISOString();
  for (let days = 10; ; days += 1) {
    const day = `${daysFrom(today, days).slice(0, 10)}T00:00:00.000Z`;
    const isInOneYear = yearOf(daysFrom(day, 5)) === yearOf(day);
    if (isInOneYear && ![day, daysFrom(day, 5)].some((each) => each.includes('-02-29'))) return day;
  }
}
