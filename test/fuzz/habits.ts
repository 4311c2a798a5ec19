/** What clients do and schemathesis does not: empty bodies of any type, and changes that cross. */
import { randomUUID } from 'node:crypto';

import { createRandom } from '../chaos/random.ts';
import type { FuzzOptions } from './options.ts';
import type { FuzzTarget } from './target.ts';

type Target = Pick<FuzzTarget, 'url' | 'key'>;

/** Tries them for as long as is asked. Returns what went wrong, a line each. */
export async function tryHabits(target: Target, options: FuzzOptions): Promise<string[]> {
  return [...(await sendEmptyBodies(target)), ...(await crossChanges(target, options))];
}

interface Operation {
  readonly requestBody?: { readonly required?: boolean };
}

/** Where no body is required, an empty one is none, whatever type it is given. */
async function sendEmptyBodies(target: Target): Promise<string[]> {
  const description = await (await fetch(`${target.url}/openapi.json`)).json();
  const { paths } = description as { paths: Record<string, Record<string, Operation>> };
  const faults: string[] = [];
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, { requestBody }] of Object.entries(methods)) {
      if (method === 'get' || requestBody?.required === true) continue;
      const place = path.replace('{key}', `birthday:${randomUUID()}:2027`);
      const send = (type: string) =>
        ask(target, method.toUpperCase(), place.replace('{id}', randomUUID()), '', type);
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
/** Of two users that want each other's, or a third, external id. */
const EXPECTED = new Set([200, 409]);

/** Pairs of users change their external ids at the same moment: each may, or one has it already. */
async function crossChanges(target: Target, { seconds, seed }: FuzzOptions): Promise<string[]> {
  const until = performance.now() + seconds * 1000;
  const faults: string[] = [];
  const cross = async (pair: number): Promise<void> => {
    const random = createRandom(seed, `pair ${pair}`);
    const externalIds = ['a', 'b', 'c'].map((name) => `fuzz-${seed}-${pair}-${name}`);
    const user = { firstName: 'Ada', dateOfBirth: '1990-12-10', timezone: 'Europe/London' };
    const paths = await Promise.all(
      externalIds.slice(0, 2).map((externalId) => createUser(target, { ...user, externalId })),
    );
    while (performance.now() < until && faults.length === 0) {
      const asked = paths.map((path) => {
        const externalId = random.pick(externalIds);
        return random.chance(0.5)
          ? { method: 'PATCH', path, body: JSON.stringify({ externalId }) }
          : { method: 'PUT', path, body: JSON.stringify({ ...user, externalId }) };
      });
      const answers = await Promise.all(
        asked.map(({ method, path, body }) => ask(target, method, path, body)),
      );
      const statuses = answers.map(({ status }) => status);
      if (statuses.every((status) => EXPECTED.has(status))) continue;
      faults.push(`at the same moment: ${JSON.stringify(asked)}: ${statuses.join(', ')}`);
    }
  };
  await Promise.all(Array.from({ length: PAIRS }, (_, pair) => cross(pair)));
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
