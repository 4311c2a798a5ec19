/** All processes of one command: started in order, watched, stopped in order. */
import {
  createChild,
  type Child,
  type ChildOptions,
  type ChildSpec,
  type ChildState,
} from './child.ts';
import type { StartError } from './start-error.ts';

export type Supervisor = ReturnType<typeof createSupervisor>;

export function createSupervisor({ terminal, record }: Pick<ChildOptions, 'terminal' | 'record'>) {
  const children: Child[] = [];
  const states: Record<string, ChildState> = {};
  const startedAt = Date.now();
  const failure = Promise.withResolvers<StartError>();
  let stopping = false;

  function add(spec: ChildSpec): Child {
    const { name } = spec;
    let wasDown = false;
    const child = createChild(spec, {
      terminal,
      record,
      onState(state) {
        states[name] = state;
        if (state === 'ready' && !stopping) {
          const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
          terminal.say(wasDown ? `${name} is back` : `${name} is ready (${seconds} s)`);
        }
        wasDown ||= state === 'down';
        // The API answers /readyz from this.
        for (const each of children) each.send({ type: 'children', children: states });
      },
      onGivenUp: failure.resolve,
    });
    children.push(child);
    return child;
  }

  return {
    /**
     * Starts these processes, all at once, after those that they need. Resolves when all are ready,
     * rejects if stopped before.
     */
    async start(specs: readonly ChildSpec[]): Promise<void> {
      if (stopping) throw new Error('the supervisor was stopped');
      await Promise.all(specs.map((spec) => add(spec).start()));
    },
    /** Resolves with the reason when a process is given up. */
    failed: failure.promise,
    /** Stops all processes, the last started first. */
    async stop(): Promise<void> {
      stopping = true;
      for (const child of children.toReversed()) await child.stop();
    },
    /** Ends all processes now; `stop` then resolves soon. */
    kill(): void {
      for (const child of children) child.kill();
    },
  };
}
