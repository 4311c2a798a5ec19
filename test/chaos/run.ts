/** One run: a Daybell under faults, while users come due, and the verdict on it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { writeZones } from '../support/instant-zones.ts';
import { readAudit, readRepairs } from './audit.ts';
import { checkWorkflows } from './engine.ts';
import { startFaults, type Fault } from './faults.ts';
import { startInstallation, type Installation } from './installation.ts';
import type { Way } from './duplicates.ts';
import { countKills, demandOf, isInHerd, shortfallsOf, targetsOf, type Kill } from './kill-plan.ts';
import { openLedger, type ChaosLedger } from './ledger.ts';
import type { ChaosOptions } from './options.ts';
import { startPeople, type Person } from './people.ts';
import { createCalendar, type RunPlan } from './plan.ts';
import { createRandom } from './random.ts';
import { startReceiver, type ChaosReceiver } from './receiver.ts';
import { judge, type Verdict } from './verdict.ts';

export interface ChaosResult extends Verdict {
  readonly options: ChaosOptions;
  readonly kills: Readonly<Record<string, number>>;
  /** Dispatchers that were killed within 10 s of an instant, with over 100 due at it. */
  readonly killsInHerds: number;
  /** Each kill, with its time. */
  readonly killed: readonly (Kill & { readonly at: string })[];
  /** Where the run came to less than one of its size has to. */
  readonly shortfalls: readonly string[];
  readonly linkFaults: number;
  /** Processes that ended without being killed, and were started again. */
  readonly deaths: Readonly<Record<string, number>>;
  readonly settledInMs: number | null;
  /** What the reconciler says that it had to repair, by finding. */
  readonly repaired: Readonly<Record<string, number>>;
  readonly workflows: Readonly<Record<string, number>>;
  readonly audit: Readonly<Record<string, unknown>>;
}

/** From everything being up to the first instant: the first users are created and planned in it. */
const BEFORE_FIRST_MS = 30_000;
/**
 * Longer than the retries that a run can lead to, and than the reconciler's round. A workflow that
 * found its late row with the dispatchers looks again after as long as the row was late, at most a
 * quarter of an hour.
 */
const NO_NEARER_MS = 16 * 60_000;

/** Of a short run several instants too; in a longer one, herds. */
function everyMs(minutes: number): number {
  return minutes < 5 ? 20_000 : 60_000;
}

/** Runs it, and cleans up; with a breach, what was seen is kept, and said where. */
export async function runChaos(
  options: ChaosOptions,
  say: (line: string) => void,
  /** For all processes, besides those of the run. */
  settings: NodeJS.ProcessEnv = {},
): Promise<ChaosResult> {
  const dataDir = await mkdtemp(join(tmpdir(), 'daybell-chaos-'));
  const receiver = await startReceiver(createRandom(options.seed, 'answers'));
  let result: ChaosResult | null = null;
  try {
    const calendar = createCalendar(Date.now());
    const zones = join(dataDir, 'zones.json');
    writeZones(zones, calendar.zones);
    const installation = await startInstallation({
      dataDir,
      temporal: options.temporal,
      temporalNodes: options.temporalNodes,
      receiverPort: receiver.port,
      settings: {
        ...settings,
        DELIVERY_LOCAL_TIME: calendar.localTime,
        ZONE_DATA: zones,
      },
      say,
    });
    try {
      const { minutes } = options;
      const plan = calendar.plan(Date.now() + BEFORE_FIRST_MS, minutes, everyMs(minutes));
      result = await runOn({ installation, receiver, plan, options, say });
      return result;
    } finally {
      await installation.stop();
      await writeFile(join(dataDir, 'arrivals.json'), JSON.stringify(receiver.arrivals, null, 1));
    }
  } finally {
    await receiver.close();
    if (result !== null && isProof(result)) await rm(dataDir, { recursive: true, force: true });
    else say(`What was seen is kept in ${dataDir}.`);
  }
}

/** Nothing was lost, and enough was done to it to say so. */
export function isProof({ breaches, shortfalls }: ChaosResult): boolean {
  return breaches.length === 0 && shortfalls.length === 0;
}

interface Context {
  readonly installation: Installation;
  readonly receiver: ChaosReceiver;
  readonly plan: RunPlan;
  readonly options: ChaosOptions;
  readonly say: (line: string) => void;
}

async function runOn({
  installation,
  receiver,
  plan,
  options,
  say,
}: Context): Promise<ChaosResult> {
  const { seed, kills, temporalNodes } = options;
  const targets = targetsOf(temporalNodes);
  const ledger = await openLedger(installation.databaseUrl);
  const { url } = installation;
  const random = createRandom(seed, 'people');
  const people = startPeople({ url, count: options.users, plan, random });
  const demand = demandOf(kills, options.users, plan.instants.length, targets);
  const faults = startFaults({
    installation,
    receiver,
    kills,
    targets,
    temporalNodes,
    instants: plan.instants,
    expectsHerds: demand.killsInHerds > 0,
    random: {
      kills: createRandom(seed, 'kills'),
      links: createRandom(seed, 'links'),
      receiver: createRandom(seed, 'receiver'),
    },
    countNear: ledger.countNear,
    say,
  });
  const progress = setInterval(() => say(progressOf(people.all, receiver, faults.all)), 10_000);
  try {
    await Promise.all([people.done, faults.done]);
    say('No more faults; waiting until all is at rest.');
    await Promise.all(installation.parts.map((part) => part.ready()));
    const settledInMs = await untilAtRest(ledger);

    const rows = await ledger.rows();
    const ways = waysOf(installation);
    const { all } = faults;
    const evidence = {
      people: people.all,
      arrivals: receiver.arrivals,
      rows,
      faults: all,
      plan,
      ways,
    };
    const verdict = judge({ ...evidence, endedAt: Date.now() });
    const unrest = settledInMs === null ? await ledger.unrest() : [];
    const { runs, faults: stuck } = await checkWorkflows(
      installation.temporalAddress,
      await ledger.userIds(),
    );
    const audit = await readAudit(url, plan.days.today);
    const killed = killsOf(all);
    return {
      options,
      ...verdict,
      kills: countKills(killed, targets),
      killsInHerds: killed.filter(isInHerd).length,
      killed,
      shortfalls: shortfallsOf(demand, killed, verdict.due.once, targets),
      linkFaults: all.filter(({ kind }) => ['cut', 'shut', 'delay'].includes(kind)).length,
      deaths: Object.fromEntries(installation.parts.map(({ name, deaths }) => [name, deaths])),
      settledInMs,
      repaired: await readRepairs(installation.logs),
      workflows: runs,
      audit: audit.counts,
      breaches: [
        ...verdict.breaches,
        ...unrest.map((line) => `not at rest: ${line}`),
        ...stuck.map((line) => `stuck: ${line}`),
        ...audit.breaches,
      ],
    };
  } finally {
    clearInterval(progress);
    people.abandon();
    faults.abandon();
  }
}

/** How long it took, in ms; null when it is not at rest, and no nearer to it for a while. */
async function untilAtRest(ledger: ChaosLedger): Promise<number | null> {
  const from = Date.now();
  let least = Infinity;
  let leastAt = from;
  while (Date.now() - leastAt < NO_NEARER_MS) {
    const { length } = await ledger.unrest();
    if (length === 0) return Date.now() - from;
    if (length < least) [least, leastAt] = [length, Date.now()];
    await sleep(1_000);
  }
  return null;
}

function waysOf({ links }: Installation): Map<number, Way> {
  return new Map(
    links
      .filter(({ name }) => /^(dispatcher|worker).*receiver/.test(name))
      .map(({ name, port }) => {
        const [sender = ''] = name.split('→');
        return [port, { sender, links: [name, `${sender}→postgres`] }];
      }),
  );
}

function killsOf(faults: readonly Fault[]): (Kill & { readonly at: string })[] {
  return faults.flatMap(({ kill, from }) =>
    kill === undefined ? [] : [{ at: new Date(from).toISOString(), ...kill }],
  );
}

function progressOf(
  people: readonly Person[],
  { arrivals }: ChaosReceiver,
  faults: readonly Fault[],
): string {
  const created = people.filter(({ id }) => id !== null).length;
  const kills = faults.filter(({ kind }) => kind === 'kill').length;
  return `${created} of ${people.length} users created, ${arrivals.length} requests received, ${kills} kills`;
}
