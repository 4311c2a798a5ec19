/** What a run has come to, by what was seen from the outside. */
import { explain, explainDuplicates, type Duplicates, type Way } from './duplicates.ts';
import type { Fault } from './faults.ts';
import type { LedgerRow } from './ledger.ts';
import { expectationOf, instantsOf, type Expectation } from './model.ts';
import type { Person } from './people.ts';
import type { RunPlan } from './plan.ts';
import type { Arrival } from './receiver.ts';

export interface Evidence {
  readonly people: readonly Person[];
  readonly arrivals: readonly Arrival[];
  readonly rows: readonly LedgerRow[];
  readonly faults: readonly Fault[];
  readonly plan: RunPlan;
  readonly ways: ReadonlyMap<number, Way>;
  /** Epoch ms: by then, everything due has been sent. */
  readonly endedAt: number;
}

export interface Verdict {
  readonly due: Readonly<Record<Expectation, number>>;
  readonly requests: Readonly<Record<string, number>>;
  readonly states: Readonly<Record<string, number>>;
  readonly duplicates: Duplicates;
  /** What must never be: each a line. */
  readonly breaches: readonly string[];
}

/** A name that is changed is read before it is sent: within a claim's time, and a retry's. */
const NAME_IS_OLD_MS = 15_000;

export function judge(evidence: Evidence): Verdict {
  const { people, arrivals, rows, faults, plan, ways } = evidence;
  const breaches: string[] = [];
  const due: Record<Expectation, number> = { once: 0, maybe: 0, never: 0 };
  const requestsOf = Map.groupBy(arrivals, ({ webhookId }) => webhookId);
  const rowsOf = Map.groupBy(rows, ({ userId }) => userId);
  const keys = new Set<string>();

  for (const person of people) {
    if (person.id === null) continue;
    const key = `birthday:${person.id}:${plan.year}`;
    keys.add(key);
    const say = (what: string): void => {
      breaches.push(`${what}: ${key} (${person.script})`);
    };
    const requests = requestsOf.get(key) ?? [];
    const taken = requests.filter(({ outcome }) => outcome === 'taken' || outcome === 'broken');
    const received = requests.some(({ outcome }) => outcome !== 'refused');
    const recorded = taken.filter((each) => explain(each, faults, ways.get(each.port)) === null);
    const first = taken[0]?.endedAt ?? null;
    const expectation = expectationOf(person, first, plan, evidence.endedAt);
    due[expectation] += 1;

    const own = rowsOf.get(person.id) ?? [];
    const row = own.find((each) => each.key === key);
    const isCompleted = row?.state === 'COMPLETED';
    if (expectation === 'once' && !received) say('MISSING at the receiver');
    // Taken, not recorded because of a fault, and then deleted or corrected: the row cannot know.
    const isExcused =
      recorded.length === 0 && (person.deleted !== null || person.script.startsWith('corrected'));
    if (expectation === 'once' && !isCompleted && !isExcused) {
      say(`MISSING in the ledger, where it is ${row?.state ?? 'not there'}`);
    }
    if (expectation === 'never' && requests.length > 0) say('sent to a user who was not due');
    if (recorded.length > 0 && !isCompleted)
      say(`delivered, and the ledger says ${row?.state ?? 'nothing'}`);
    if (isCompleted && !received) say('COMPLETED, and the receiver has nothing');

    for (const request of requests) checkRequest(request, person, plan, say);
    for (const { at } of requests) {
      if (row?.knewAt != null && at > row.knewAt) {
        say(`sent ${Math.round(at - row.knewAt)} ms after the ledger knew`);
      }
    }
    checkRows(person, own, evidence.endedAt, say);
  }
  for (const id of requestsOf.keys()) {
    if (!keys.has(id)) breaches.push(`a request for what nobody knows: ${id}`);
  }
  const duplicates = explainDuplicates(arrivals, faults, ways);
  breaches.push(...duplicates.unexplained.map((line) => `sent again for no reason: ${line}`));
  return {
    due,
    requests: countBy(arrivals, ({ outcome }) => outcome),
    states: countBy(rows, ({ state, reason }) => (reason === null ? state : `${state} ${reason}`)),
    duplicates,
    breaches,
  };
}

function checkRequest(
  request: Arrival,
  person: Person,
  plan: RunPlan,
  say: (what: string) => void,
): void {
  const { at, dueAt, firstName } = request;
  if (at < dueAt) say(`EARLY by ${dueAt - at} ms`);
  if (!instantsOf(person, plan).includes(dueAt)) {
    say(`due at ${new Date(dueAt).toISOString()}, which was never the user's`);
  }
  const name = person.names.findIndex((each) => each.firstName === firstName);
  const replacedAt = person.names[name + 1]?.knownAt ?? Infinity;
  const isKnown = name !== -1 && (person.names[name]?.askedAt ?? 0) <= at;
  if (!isKnown || at > replacedAt + NAME_IS_OLD_MS) say(`sent with the name ${firstName}`);
}

/** At the end nothing is under way, and every user has a plan for what comes next. */
function checkRows(
  person: Person,
  rows: readonly LedgerRow[],
  endedAt: number,
  say: (what: string) => void,
): void {
  const open = rows.filter(({ state }) => state === 'PENDING');
  const planned = open.filter(({ dueAt }) => (dueAt ?? 0) > endedAt);
  const wanted = person.deleted === null ? 1 : 0;
  if (open.length !== wanted || planned.length !== wanted) {
    say(
      `open rows ${open.map(({ key, state }) => `${key} ${state}`).join(', ') || 'none'}, not ${wanted}`,
    );
  }
  for (const { state, reason, key } of rows) {
    // FAILED if it was attempted before.
    const isForGone = reason === 'user_deleted' && person.deleted !== null;
    const isForOtherDay = reason === 'date_changed' && person.script.startsWith('corrected');
    if ((state === 'FAILED' || state === 'SKIPPED') && !isForGone && !isForOtherDay) {
      say(`${state} ${reason ?? ''} ${key}`);
    }
  }
}

function countBy<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[keyOf(item)] = (counts[keyOf(item)] ?? 0) + 1;
  return counts;
}
