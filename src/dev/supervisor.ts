/** Daybell's processes as a whole: started in order, watched, stopped in order, once. */
import {
  createChild,
  type Child,
  type ChildFailure,
  type ChildSpec,
  type ChildState,
} from './child.ts';
import type { ProcessRecord } from './process-record.ts';
import { StartError } from './start-error.ts';
import type { Terminal } from './terminal.ts';

export interface Supervisor {
  /** Starts these, all at once, and resolves when all are ready; rejects when stopped before. */
  start(specs: readonly ChildSpec[]): Promise<void>;
  /** Resolves with the reason when a process is given up. */
  readonly failed: Promise<StartError>;
  /** Stops all, the lowest stage first. */
  stop(): Promise<void>;
  /** Ends all now; `stop` then resolves soon. */
  kill(): void;
}

/** What is known of every process, for whoever asks the API whether all is well. */
export interface ChildrenMessage {
  readonly type: 'children';
  readonly children: Readonly<Record<string, ChildState>>;
}

export interface SupervisorOptions {
  readonly terminal: Terminal;
  readonly record: ProcessRecord;
}

export function createSupervisor({ terminal, record }: SupervisorOptions): Supervisor {
  const children: Child[] = [];
  const states: Record<string, ChildState> = {};
  const startedAt = Date.now();
  const failure = Promise.withResolvers<StartError>();
  let stopping = false;

  function add(spec: ChildSpec): Child {
    let downOnce = false;
    const child: Child = createChild(spec, {
      onSpawn({ pid }) {
        if (pid !== undefined) {
          const { name, stopSignal, stopStage } = spec;
          record.add({ name, pid, stopSignal, stopStage });
        }
      },
      onState(state) {
        states[spec.name] = state;
        if (state === 'ready' && !stopping) {
          terminal.say(
            downOnce
              ? `${spec.name} is back`
              : `${spec.name} is ready (${secondsSince(startedAt)})`,
          );
        }
        if (state === 'down') downOnce = true;
        tellAll();
      },
      onLine: (line) => terminal.showLine(spec.name, line),
      onDeath(reason, restartInMs) {
        terminal.warn(`${spec.name} ${reason}; starting it again in ${restartInMs / 1000} s`);
      },
      onGivenUp: (failed) => failure.resolve(describeFailure(spec.name, failed, terminal)),
    });
    children.push(child);
    return child;
  }

  /** A process that has just started hears it with the next change: its own being ready. */
  function tellAll(): void {
    const message: ChildrenMessage = { type: 'children', children: { ...states } };
    for (const child of children) child.send(message);
  }

  return {
    async start(specs) {
      if (stopping) throw new Error('the supervisor was stopped');
      await Promise.all(specs.map((spec) => add(spec).start()));
    },
    failed: failure.promise,
    async stop() {
      stopping = true;
      const stages = Map.groupBy(children, (child) => child.spec.stopStage);
      for (const stage of [...stages.keys()].sort((a, b) => a - b)) {
        await Promise.all((stages.get(stage) ?? []).map((child) => child.stop()));
      }
    },
    kill() {
      for (const child of children) child.kill();
    },
  };
}

function describeFailure(name: string, failure: ChildFailure, terminal: Terminal): StartError {
  const lines = failure.lastLines.map((line) => `  ${terminal.readable(line)}`);
  return new StartError(
    [
      failure.misconfigured
        ? `${name} cannot run with these settings.`
        : `${name} ${failure.reason}, again and again.`,
      ...(lines.length === 0 ? ['It said nothing.'] : ['The last it said:', ...lines]),
    ].join('\n'),
    failure.misconfigured ? 78 : 1,
  );
}

function secondsSince(instant: number): string {
  return `${((Date.now() - instant) / 1000).toFixed(1)} s`;
}
