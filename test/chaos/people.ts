/** The users of a run: created, renamed, moved, corrected and deleted through the API, whatever happens to it. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Zone } from '../support/instant-zones.ts';
import { AbandonedError, createAsk } from './api.ts';
import type { Deletion, Facts } from './model.ts';
import type { RunPlan } from './plan.ts';
import type { Random } from './random.ts';

export interface Person {
  /** Null until it was created. */
  id: string | null;
  readonly script: Script;
  readonly facts: Facts[];
  readonly names: { readonly firstName: string; readonly askedAt: number; knownAt: number }[];
  deleted: Deletion | null;
}

export interface People {
  readonly all: readonly Person[];
  /** Resolves when every script has come to its end. */
  readonly done: Promise<unknown>;
  /** Ends scripts before their next step. */
  abandon(): void;
}

type Script =
  | 'plain'
  | 'created at the last moment'
  | 'renamed'
  | 'moved to a later instant'
  | 'moved to where it has passed'
  | 'created too late and moved to a later instant'
  | 'created too late'
  | 'corrected to another day'
  | 'corrected and back'
  | 'deleted before'
  | 'deleted some time';

/** How many of a hundred. */
const SHARES: readonly (readonly [Script, number])[] = [
  ['plain', 45],
  ['created at the last moment', 7],
  ['renamed', 10],
  ['moved to a later instant', 9],
  ['moved to where it has passed', 8],
  ['created too late and moved to a later instant', 5],
  ['created too late', 2],
  ['corrected to another day', 3],
  ['corrected and back', 5],
  ['deleted before', 3],
  ['deleted some time', 3],
];

/** Of all users, those who are there before the first instant. */
const EARLY = 0.4;
const SOON_MS = 3_000;

export interface PeopleOptions {
  readonly url: string;
  readonly count: number;
  readonly plan: RunPlan;
  readonly random: Random;
}

/** Begins all scripts; each takes the time that the run has. */
export function startPeople({ url, count, plan, random }: PeopleOptions): People {
  const ask = createAsk(url, () => isAbandoned);
  const startedAt = Date.now();
  const lastAt = plan.instants.at(-1) ?? startedAt;
  const firstAt = plan.instants[0] ?? startedAt;
  const scripts = random.shuffle(
    Array.from({ length: count }, (_, index) => scriptAt((100 * (index + 0.5)) / count)),
  );
  let isAbandoned = false;

  const until = async (instant: number): Promise<void> => {
    await sleep(Math.max(instant - Date.now(), 0));
    if (isAbandoned) throw new AbandonedError();
  };

  const create = async (person: Person, zone: Zone, number: number): Promise<void> => {
    const firstName = `Ada-${number}`;
    const askedAt = Date.now();
    const body = {
      firstName,
      lastName: 'Chaos',
      dateOfBirth: bornOn(plan.days.today),
      timezone: zone.name,
    };
    const user = await ask('POST', '/v1/users', body, { 'idempotency-key': `chaos-${number}` });
    const knownAt = Date.now();
    person.id = String(user?.id);
    person.names.push({ firstName, askedAt, knownAt });
    person.facts.push({
      from: Date.parse(user?.createdAt ?? ''),
      knownAt,
      zone,
      day: plan.days.today,
    });
  };

  const change = async (
    person: Person,
    to: { readonly zone?: Zone; readonly day?: string },
  ): Promise<void> => {
    const last = person.facts.at(-1);
    if (last === undefined) return;
    const { zone = last.zone, day = last.day } = to;
    const user = await ask('PATCH', `/v1/users/${person.id}`, {
      ...(to.zone && { timezone: zone.name }),
      ...(to.day && { dateOfBirth: bornOn(day) }),
    });
    person.facts.push({ from: Date.parse(user?.updatedAt ?? ''), knownAt: Date.now(), zone, day });
  };

  const rename = async (person: Person, firstName: string): Promise<void> => {
    const name = { firstName, askedAt: Date.now(), knownAt: Infinity };
    person.names.push(name);
    await ask('PATCH', `/v1/users/${person.id}`, { firstName });
    name.knownAt = Date.now();
  };

  const remove = async (person: Person): Promise<void> => {
    const from = Date.now();
    await ask('DELETE', `/v1/users/${person.id}`);
    person.deleted = { from, knownAt: Date.now() };
  };

  const live = async (person: Person, number: number): Promise<void> => {
    const { script } = person;
    const isEarly = random.chance(EARLY);
    const late = ['created too late and moved to a later instant', 'created too late'].includes(
      script,
    );
    const createAt = isEarly
      ? random.between(startedAt, startedAt + 0.5 * (firstAt - startedAt))
      : random.between(startedAt + 0.5 * (firstAt - startedAt), lastAt - SOON_MS);
    // A later instant, for those who move on.
    const to = plan.instants.filter((instant) => instant > createAt + SOON_MS);
    const dueAt = random.pick(to.length > 0 ? to : [lastAt]);
    const soon = dueAt - random.between(50, SOON_MS);
    const between = random.chance(0.3) ? soon : random.between(createAt + 500, dueAt - 500);
    const further = plan.instants.filter((instant) => instant > dueAt);
    const laterZone = further.length > 0 ? plan.zoneOf(random.pick(further)) : plan.farZone;
    const pastZone = random.pick(plan.pastZones);
    const otherDay = random.pick(
      [plan.days.over, plan.days.toCome].filter((day): day is string => day !== null),
    );
    const someTime = random.between(createAt + 500, lastAt);
    const backAfter = random.between(200, 4_000);

    await until(script === 'created at the last moment' ? soon : createAt);
    await create(person, late ? pastZone : plan.zoneOf(dueAt), number);
    switch (script) {
      case 'renamed':
        await until(random.chance(0.5) ? between : soon);
        return rename(person, `Grace-${number}`);
      case 'moved to a later instant':
        await until(between);
        return change(person, { zone: laterZone });
      case 'moved to where it has passed':
        await until(between);
        return change(person, { zone: pastZone });
      case 'created too late and moved to a later instant':
        await until(between);
        return change(person, { zone: plan.zoneOf(dueAt) });
      case 'corrected to another day':
        await until(between);
        return change(person, { day: otherDay });
      case 'corrected and back':
        await until(Math.min(between, dueAt - backAfter - 1_000));
        await change(person, { day: otherDay });
        await until(Date.now() + backAfter);
        return change(person, { day: plan.days.today });
      case 'deleted before':
        await until(between);
        return remove(person);
      case 'deleted some time':
        await until(someTime);
        return remove(person);
    }
  };

  const all = scripts.map((script): Person => ({
    id: null,
    script,
    facts: [],
    names: [],
    deleted: null,
  }));
  const lives = all.map((person, number) =>
    live(person, number).catch((error: unknown) => {
      if (!(error instanceof AbandonedError)) throw error;
    }),
  );
  return {
    all,
    done: Promise.all(lives),
    abandon() {
      isAbandoned = true;
    },
  };
}

/** A leap year, so that every day of the year exists. */
function bornOn(day: string): string {
  return `1992${day.slice(4)}`;
}

function scriptAt(share: number): Script {
  let sum = 0;
  for (const [script, size] of SHARES) {
    sum += size;
    if (share < sum) return script;
  }
  return 'plain';
}
