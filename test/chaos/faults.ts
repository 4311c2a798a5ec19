/** What is done to a run: kills, broken connections and a receiver in trouble, in seeded order. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Installation } from './installation.ts';
import {
  HERD,
  NEAR_MS,
  planKills,
  planOutages,
  type Kill,
  type PlannedKill,
  type PlannedOutage,
  type Targets,
} from './kill-plan.ts';
import type { Random } from './random.ts';
import type { ChaosReceiver } from './receiver.ts';

/** Something that was done, and until when it lasted; epoch ms. */
export interface Fault {
  readonly kind: 'kill' | 'suspend' | 'cut' | 'shut' | 'delay' | 'receiver';
  /** A process, a link, or what the receiver did. */
  readonly target: string;
  readonly from: number;
  until: number;
  readonly kill?: Kill;
}

export interface Faults {
  readonly all: readonly Fault[];
  /** Resolves when the last of them has been done and undone. */
  readonly done: Promise<void>;
  abandon(): void;
}

export interface FaultOptions {
  readonly installation: Installation;
  readonly receiver: ChaosReceiver;
  readonly kills: number;
  readonly targets: Targets;
  readonly temporalNodes: number;
  readonly instants: readonly number[];
  /** Whether so many come due together that they are one. */
  readonly expectsHerds: boolean;
  /** Streams of their own: see `createRandom`. */
  readonly random: { readonly kills: Random; readonly links: Random; readonly receiver: Random };
  /** How many are open and due within so many ms of now, past or to come. */
  readonly countNear: (withinMs: number) => Promise<number>;
  readonly say: (line: string) => void;
}

/** A herd is counted before it is due: it takes a second, and counting takes a part of that. */
const COUNT_AHEAD_MS = 1_500;
/** On a slow machine it may still be starting: who never lives proves nothing. */
const LIVES_FOR_MS = 3_000;
const COUNT_AGAIN_MS = 200;
/** A herd that a fault has kept from being planned in time is waited for, in good time for it to count. */
const HERD_COMES_WITHIN_MS = NEAR_MS - 2_000;

export function startFaults(options: FaultOptions): Faults {
  const { installation, receiver, instants, expectsHerds, random, countNear, say } = options;
  const all: Fault[] = [];
  const over = new AbortController();
  const from = Date.now();
  const until = (instants.at(-1) ?? from) + NEAR_MS;

  const pause = (ms: number): Promise<void> =>
    sleep(Math.max(ms, 0), undefined, { signal: over.signal });

  const kill = async ({ at, target, downMs, aimedAt }: PlannedKill): Promise<void> => {
    await pause(at - Date.now() - COUNT_AHEAD_MS);
    const part = installation.part(target);
    await part.ready(LIVES_FOR_MS);
    over.signal.throwIfAborted();
    const herd = target.startsWith('dispatcher') ? await countHerd(aimedAt) : null;
    await pause(at - Date.now());
    let killedAt = Date.now();
    // It may have ended by itself meanwhile.
    while (!(await part.kill(downMs))) {
      await part.ready();
      over.signal.throwIfAborted();
      killedAt = Date.now();
    }
    const nearest = nearestTo(killedAt, instants);
    const fault: Fault = {
      kind: 'kill',
      target,
      from: killedAt,
      until: Infinity,
      kill: { target, herd, afterInstantMs: killedAt - nearest },
    };
    all.push(fault);
    const due = herd === null || herd === 0 ? '' : ` with ${herd} due`;
    say(`kill -9 ${target}${due}, up again after ${Math.round(downMs)} ms`);
    await part.ready();
    fault.until = Date.now();
  };

  /** How many are due and near; of a herd that is aimed at, as soon as it is one. */
  const countHerd = async (aimedAt: number | null): Promise<number> => {
    for (;;) {
      const herd = await countNear(NEAR_MS).catch(() => 0);
      const isPatient =
        expectsHerds && aimedAt !== null && Date.now() < aimedAt + HERD_COMES_WITHIN_MS;
      if (herd > HERD || !isPatient) return herd;
      await pause(COUNT_AGAIN_MS);
    }
  };

  const goAway = async ({ at, kind, targets, lastsMs }: PlannedOutage): Promise<void> => {
    await pause(at - Date.now());
    say(`${kind === 'kill' ? 'kill -9' : 'suspend'} ${targets.join(' and ')}, for ${lastsMs} ms`);
    await Promise.all(
      targets.map(async (target) => {
        const part = installation.part(target);
        const fault: Fault = { kind, target, from: Date.now(), until: Infinity };
        all.push(fault);
        // One that is down already is away all the same.
        if (kind === 'kill') await part.kill(lastsMs);
        else await part.suspend(lastsMs);
        await part.ready();
        fault.until = Date.now();
      }),
    );
  };

  const breakLinks = async (): Promise<void> => {
    const { links: draw } = random;
    for (;;) {
      await pause(draw.between(1_500, 6_000));
      if (Date.now() > until) return;
      const link = draw.pick(installation.links);
      const kind = draw.pick(['cut', 'shut', 'delay'] as const);
      const lastsMs = kind === 'cut' ? 0 : draw.between(1_000, 5_000);
      const delayMs = draw.between(50, 500);
      const fault: Fault = { kind, target: link.name, from: Date.now(), until: Infinity };
      all.push(fault);
      if (kind === 'cut') link.cut();
      if (kind === 'shut') link.shut();
      if (kind === 'delay') link.delay(delayMs);
      await pause(lastsMs).finally(() => {
        link.open();
        link.delay(0);
        fault.until = Date.now();
      });
    }
  };

  const troubleReceiver = async (): Promise<void> => {
    const { receiver: draw } = random;
    for (;;) {
      receiver.setTrouble({ refuses: 0.02, losesAnswers: 0.02 });
      await pause(draw.between(5_000, 20_000));
      if (Date.now() > until) return;
      const trouble = draw.chance(0.5)
        ? { refuses: draw.between(0.2, 1), losesAnswers: 0.1 }
        : { refuses: 0.1, losesAnswers: draw.between(0.2, 0.7) };
      const target = `${percent(trouble.refuses)} refused, ${percent(trouble.losesAnswers)} lost`;
      const fault: Fault = { kind: 'receiver', target, from: Date.now(), until: Infinity };
      all.push(fault);
      receiver.setTrouble(trouble);
      await pause(draw.between(2_000, 6_000)).finally(() => (fault.until = Date.now()));
    }
  };

  const kills = planKills({ ...options, from, until, draw: random.kills });
  const outages = planOutages(instants, options.temporalNodes).map(goAway);
  const work = [...kills.map(kill), ...outages, breakLinks(), troubleReceiver()].map((each) =>
    each.catch((error: unknown) => {
      if (!over.signal.aborted) throw error;
    }),
  );
  return {
    all,
    done: Promise.all(work).then(() => receiver.setTrouble({ refuses: 0, losesAnswers: 0 })),
    abandon: () => over.abort(),
  };
}

function nearestTo(at: number, instants: readonly number[]): number {
  const distance = (instant: number): number => Math.abs(instant - at);
  return instants.reduce(
    (nearest, each) => (distance(each) < distance(nearest) ? each : nearest),
    -Infinity,
  );
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
