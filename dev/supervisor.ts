/** All processes of one command: started in order, watched, stopped in order. */
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

export type Supervisor = ReturnType<typeof createSupervisor>;

export interface SupervisorOptions {
  readonly terminal: Terminal;
  readonly record: ProcessRecord;
}

export function createSupervisor({ terminal, record }: SupervisorOptions) {
  const children: Child[] = [];
  const states: Record<string, ChildState> = {};
  const startedAt = Date.now();
  const failure = Promise.withResolvers<StartError>();
  let stopping = false;

  function add(spec: ChildSpec): Child {
    const { name, stopSignal } = spec;
    let wasDown = false;
    const child = createChild(spec, {
      onSpawn: (pid) => record.add({ name, pid, stopSignal }),
      onState(state) {
        states[name] = state;
        if (state === 'ready' && !stopping) {
          terminal.say(wasDown ? `${name} is back` : `${name} is ready (${seconds(startedAt)})`);
        }
        wasDown ||= state === 'down';
        // The API answers /readyz from this.
        for (const each of children) each.send({ type: 'children', children: states });
      },
      onLine: (line) => terminal.showLine(name, line),
      onDeath(reason, restartInMs) {
        terminal.warn(`${name} ${reason}; restarting it in ${restartInMs / 1000} s`);
      },
      onGivenUp: (failed) => failure.resolve(describeFailure(name, failed, terminal)),
    });
    children.push(child);
    return child;
  }

  return {
    /** Starts these, all at once. Resolves when all are ready, rejects when stopped before. */
    async start(specs: readonly ChildSpec[]): Promise<void> {
      if (stopping) throw new Error('the supervisor was stopped');
      await Promise.all(specs.map((spec) => add(spec).start()));
    },
    /** Resolves with the reason when a process is given up. */
    failed: failure.promise,
    /** Stops all, the lowest stage first. */
    async stop(): Promise<void> {
      stopping = true;
      const stages = Map.groupBy(children, (child) => child.spec.stopStage);
      for (const stage of [...stages.keys()].sort((a, b) => a - b)) {
        await Promise.all((stages.get(stage) ?? []).map((child) => child.stop()));
      }
    },
    /** Ends all now; `stop` then resolves soon. */
    kill(): void {
      for (const child of children) child.kill();
    },
  };
}

function describeFailure(
  name: string,
  { misconfigured, reason, lastLines }: ChildFailure,
  terminal: Terminal,
): StartError {
  const what = misconfigured
    ? `${name} cannot run with these settings.`
    : `${name} ${reason}, again and again.`;
  const output = lastLines.map((line) => `  ${terminal.readable(line)}`);
  return new StartError(
    [
      what,
      ...(output.length === 0 ? ['It printed nothing.'] : ['Its last output:', ...output]),
    ].join('\n'),
    misconfigured ? 78 : 1,
  );
}

function seconds(since: number): string {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}
