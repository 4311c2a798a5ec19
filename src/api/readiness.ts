import type { ReadinessCheck } from '../platform/service.ts';

/** The state of the other processes, as their supervisor has it. */
export type ChildStates = Readonly<Record<string, 'starting' | 'ready' | 'down'>>;

/** What the database said of itself. */
interface DatabaseHealth {
  readonly reachable: boolean;
  readonly migrated: boolean;
}

/** The database by two checks: it is there, and it is this version's. */
export function databaseChecks({ reachable, migrated }: DatabaseHealth): ReadinessCheck[] {
  return [
    check('database', reachable, 'does not answer'),
    check('migrations', migrated, reachable ? 'some have not run: npm run migrate' : 'not known'),
  ];
}

/** Every supervised process by a check; one for all before the supervisor has said anything. */
export function childChecks(children: ChildStates | null): ReadinessCheck[] {
  if (children === null) return [check('processes', false, 'starting')];
  return Object.entries(children).map(([name, state]) => check(name, state === 'ready', state));
}

/** Reads a supervisor's message; null when it is none about children. */
export function childStatesOf(message: unknown): ChildStates | null {
  if (typeof message !== 'object' || message === null) return null;
  const { type, children } = message as { type?: unknown; children?: unknown };
  return type === 'children' && typeof children === 'object' && children !== null
    ? (children as ChildStates)
    : null;
}

function check(name: string, ready: boolean, detail: string): ReadinessCheck {
  return ready ? { name, ready } : { name, ready, detail };
}
