/** A participant of the herd bench. */
import type { Installation } from '../support/installation.ts';
import type { Meter } from '../support/meter.ts';
import type { Progress } from '../support/progress.ts';

export interface Contender {
  readonly name: string;
  /** What it is, and with which settings, in a line for readers of the result. */
  readonly about: string;
  /**
   * Loads all users, due at one full minute, and starts to work. Resolves when all of them wait for
   * that instant, or it has come.
   */
  start(run: HerdRun): Promise<RunningContender>;
}

/** One contender's turn. */
export interface HerdRun {
  readonly users: number;
  readonly installation: Installation;
  /** An empty database of its own. */
  readonly databaseUrl: string;
  /** The receiver, at a path of its own. */
  readonly webhookUrl: string;
  readonly webhookSecret: string;
  /** A folder for logs. */
  readonly logDir: string;
  readonly meter: Meter;
  readonly progress: Progress;
  readonly options: HerdOptions;
}

/** Options for Daybell only. */
export interface HerdOptions {
  /** How users are created: by POST /v1/users, or by the User Context in this process. */
  readonly load: 'api' | 'store';
  /** Seconds for the processes to start: the worker bundles its workflows first. */
  readonly headStart: number;
  /** Users a second that are planned and asleep in a workflow; decides the instant. */
  readonly planRate: number;
  /** When it counts as done: all are settled, or the workflow of each sleeps again. */
  readonly until: 'settled' | 'asleep';
  readonly dispatchers: number;
  /** Ms after the instant at which one dispatcher is killed with -9; 0 for never. */
  readonly killDispatcher: number;
  /** Processes of Temporal that are killed with -9 a second before the instant. */
  readonly killTemporalNode: readonly string[];
  /** For how many seconds they stay down. */
  readonly temporalDown: number;
  /** The minimum in seconds that dispatchers wait for a herd that is planned already. */
  readonly rest: number;
}

export interface RunningContender {
  /** When all are due, epoch ms. */
  readonly dueAt: number;
  /** Facts that a reader of the figures has to know. */
  readonly remarks: readonly string[];
  /** What it stores for a waiting user; null if it cannot be queried. */
  readonly sleeper: Sleeper | null;
  /** Deliveries that it has not recorded as done. */
  unfinished(): Promise<number>;
  /** Facts known only at the end, such as the events of a history. */
  afterwards?(): Promise<readonly string[]>;
  stop(): Promise<void>;
}

export interface Sleeper {
  /** Bytes of a sleeping workflow's history, the mean of a sample. */
  readonly historyBytes: number;
  readonly historyEvents: number;
  /** Bytes by which the Temporal server's storage has grown, for each user. */
  readonly storageBytes: number;
}
