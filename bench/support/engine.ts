/** A contender that is one program: it runs in a process of its own, and this is what it has to do. */

export interface EngineContext {
  readonly users: number;
  /** Epoch ms. */
  readonly dueAt: number;
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly webhookUrl: string;
  readonly webhookSecret: string;
}

/** What a module of bench/contenders exports as `engine`. */
export interface Engine {
  /** Brings in all users, due at `dueAt`, and goes to work; resolves when all of them wait. */
  start(context: EngineContext, onLoaded: (count: number) => void): Promise<RunningEngine>;
}

export interface RunningEngine {
  /** Deliveries that are not booked as done. */
  unfinished(): Promise<number>;
  stop(): Promise<void>;
}

export type EngineQuestion =
  | { readonly type: 'start'; readonly context: EngineContext }
  | { readonly type: 'unfinished' };

export type EngineAnswer =
  | { readonly type: 'loaded'; readonly count: number }
  | { readonly type: 'started' }
  | { readonly type: 'unfinished'; readonly count: number }
  | { readonly type: 'failed'; readonly message: string };
