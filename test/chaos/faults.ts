/** What is done to a run: kills, broken connections and a receiver in trouble, in seeded order. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Installation } from './installation.ts';
import type { Random } from './random.ts';
import type { ChaosReceiver } from './receiver.ts';

/** Something that was done, and until when it lasted; epoch ms. */
export interface Fault {
  readonly kind: 'kill' | 'cut' | 'shut' | 'delay' | 'receiver';
  /** A process, a link, or what the receiver did. */
  readonly target: string;
  readonly from: number;
  until: number;
  /** Of a dispatcher that was killed: how many were armed for an instant within 10 s. */
  readonly herd?: number;
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
  readonly instants: readonly number[];
  /** Streams of their own: see `createRandom`. */
  readonly random: { readonly kills: Random; readonly links: Random; readonly receiver: Random };
  /** How many are armed and due within so many ms of now, past or to come. */
  readonly countArmed: (withinMs: number) => Promise<number>;
  readonly say: (line: string) => void;
}

const TARGETS = ['api', 'worker', 'dispatcher', 'relay', 'temporal', 'postgres'] as const;
/** Of all kills, those of a dispatcher while a herd is due. */
const AIMED = 1 / 4;
const NEAR_MS = 10_000;
/** A herd is counted before it is due: it takes a second, and counting takes a part of that. */
const COUNT_AHEAD_MS = 1_500;
/** On a slow machine it may still be starting: who never lives proves nothing. */
const LIVES_FOR_MS = 3_000;

interface PlannedKill {
  readonly at: number;
  readonly target: string;
  readonly downMs: number;
}

export function startFaults(options: FaultOptions): Faults {
  const { installation, receiver, instants, random, countArmed, say } = options;
  const all: Fault[] = [];
  const over = new AbortController();
  const from = Date.now();
  const until = (instants.at(-1) ?? from) + NEAR_MS;

  const pause = (ms: number): Promise<void> =>
    sleep(Math.max(ms, 0), undefined, { signal: over.signal });

  const kill = async ({ at, target, downMs }: PlannedKill): Promise<void> => {
    await pause(at - Date.now() - COUNT_AHEAD_MS);
    const part = installation.part(target);
    await part.ready(LIVES_FOR_MS);
    over.signal.throwIfAborted();
    const isDispatcher = target.startsWith('dispatcher');
    const herd = isDispatcher ? await countArmed(NEAR_MS).catch(() => 0) : 0;
    await pause(at - Date.now());
    const fault: Fault = {
      kind: 'kill',
      target,
      from: Date.now(),
      until: Infinity,
      ...(isDispatcher && { herd }),
    };
    all.push(fault);
    await part.kill(downMs);
    say(
      `kill -9 ${target}${herd > 0 ? ` with ${herd} armed` : ''}, up again after ${Math.round(downMs)} ms`,
    );
    await part.ready();
    fault.until = Date.now();
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

  const kills = planKills(options, from, until);
  const work = [...kills.map(kill), breakLinks(), troubleReceiver()].map((each) =>
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

/** A dispatcher at every so many instants; all targets in turn, a new order each time, in between. */
function planKills(
  { kills, instants, random: { kills: draw } }: FaultOptions,
  from: number,
  until: number,
): PlannedKill[] {
  const downMs = (): number => draw.between(0, 4_000);
  const dispatcher = (): string => draw.pick(['dispatcher-1', 'dispatcher-2']);
  const aimed = Math.min(Math.floor(kills * AIMED), 2 * instants.length);
  const atInstants = Array.from({ length: aimed }, (_, index) => ({
    at: (instants[index % instants.length] ?? from) + draw.between(50, 700),
    target: dispatcher(),
    downMs: downMs(),
  }));
  const rest = kills - aimed;
  const targets: string[] = [];
  while (targets.length < rest) targets.push(...draw.shuffle(TARGETS));
  const spacing = (until - from) / Math.max(rest, 1);
  const inTurn = targets.slice(0, rest).map((target, index) => ({
    at: from + spacing * (index + draw.between(0.1, 0.9)),
    target: target === 'dispatcher' ? dispatcher() : target,
    downMs: downMs(),
  }));
  return [...atInstants, ...inTurn].toSorted((one, other) => one.at - other.at);
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
