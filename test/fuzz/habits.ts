/** What clients do and schemathesis does not: empty bodies of any type, and changes that cross. */
import { randomUUID } from 'node:crypto';

import { createRandom } from '../chaos/random.ts';
import type { FuzzOptions } from './options.ts';
import type { FuzzTarget } from './target.ts';

type Target = Pick<FuzzTarget, 'url' | 'key'>;

/** Tries them for the given time. Returns what went wrong, a line each. */
export async function tryHabits(target: Target, options: FuzzOptions): Promise<string[]> {
  return [...(await sendEmptyBodies(target)), ...(await swapExternalIds(target, options))];
}

interface Operation {
  readonly requestBody?: { readonly required?: boolean };
}

/** Where no body is required, an empty one counts as none, whatever its type. */
async function sendEmptyBodies(target: Target): Promise<string[]> {
  const description = await (await fetch(`${target.url}/openapi.json`)).json();
  const { paths } = description as { paths: Record<string, Record<string, Operation>> };
  const faults: string[] = [];
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, { requestBody }] of Object.entries(methods)) {
      if (method === 'get' || requestBody?.required === true) continue;
      const place = path
        .replace('{key}', `birthday:${randomUUID()}:2027`)
        .replace('{type}', 'reminder')
        .replaceAll(/\{\w+\}/g, () => randomUUID());
      const send = (type: string) => ask(target, method.toUpperCase(), place, '', type);
      for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain']) {
        const { status } = await send(type);
        if (status !== 400 && status !== 415 && status < 500) continue;
        faults.push(`${method.toUpperCase()} ${path} with an empty body of ${type}: ${status}`);
      }
    }
  }
  return faults;
}

const PAIRS = 4;

/**
 * Pairs of users ask for each other's external id at the same moment. In whatever order they are
 * looked at, each is refused: the other one still has it.
 */
async function swapExternalIds(target: Target, { seconds, seed }: FuzzOptions): Promise<string[]> {
  const until = performance.now() + seconds * 1000;
  const faults: string[] = [];
  const swap = async (pair: number): Promise<void> => {
    const random = createRandom(seed, `pair ${pair}`);
    const user = { firstName: 'Ada', dateOfBirth: '1990-12-10', timezone: 'Europe/London' };
    const [one, other] = [`fuzz-${seed}-${pair}-a`, `fuzz-${seed}-${pair}-b`];
    const wishes = [
      { path: await createUser(target, { ...user, externalId: one }), externalId: other },
      { path: await createUser(target, { ...user, externalId: other }), externalId: one },
    ];
    while (performance.now() < until && faults.length === 0) {
      const answers = await Promise.all(
        wishes.map(({ path, externalId }) =>
          random.chance(0.5)
            ? ask(target, 'PATCH', path, JSON.stringify({ externalId }))
            : ask(target, 'PUT', path, JSON.stringify({ ...user, externalId })),
        ),
      );
      const statuses = answers.map(({ status }) => status);
      if (statuses.every((status) => status === 409)) continue;
      faults.push(`two users that swap their external ids: ${statuses.join(', ')}, not 409`);
    }
  };
  await Promise.all(Array.from({ length: PAIRS }, (_, pair) => swap(pair)));
  return faults;
}

async function createUser(target: Target, user: object): Promise<string> {
  const created = await ask(target, 'POST', '/v1/users', JSON.stringify(user));
  if (created.status !== 201) throw new Error(`no user to begin with: ${created.status}`);
  return created.headers.get('location') ?? '';
}

async function ask(
  { url, key }: Target,
  method: string,
  path: string,
  body: string,
  type = 'application/json',
): Promise<Response> {
  const headers = { Authorization: `Bearer ${key}`, 'Content-Type': type };
  const answer = await fetch(`${url}${path}`, { method, headers, body });
  await answer.arrayBuffer();
  return answer;
}
