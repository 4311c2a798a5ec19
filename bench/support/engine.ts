/** The interface of a contender that consists of one program, which runs in a separate process. */

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
  /** Loads all users, due at `dueAt`, and starts to work; resolves when all of them wait. */
  start(context: EngineContext, onLoaded: (count: number) => void): Promise<RunningEngine>;
}

export interface RunningEngine {
  /** Deliveries that are not recorded as done. */
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
