/** What takes part in the herd bench. */
import type { Installation } from '../support/installation.ts';
import type { Meter } from '../support/meter.ts';
import type { Progress } from '../support/progress.ts';

export interface Contender {
  readonly name: string;
  /** What it is, and with which settings: a line for readers of the result. */
  readonly about: string;
  /**
   * Brings in all users, due at one full minute, and goes to work. Resolves when all of them
   * wait for that instant, or it has come.
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

/** What only Daybell takes. */
export interface HerdOptions {
  /** How users are created: by POST /v1/users, or by the User Context in this process. */
  readonly load: 'api' | 'store';
  /** Seconds that the processes get to start: the worker bundles its workflows first. */
  readonly headStart: number;
  /** How many users a second are planned and sleep in a workflow; the instant is chosen by it. */
  readonly planRate: number;
  /** When it counts as over: all are settled, or the workflow of each sleeps again. */
  readonly until: 'settled' | 'asleep';
  readonly dispatchers: number;
  /** Ms after the instant at which one dispatcher is killed with -9; 0 for never. */
  readonly killDispatcher: number;
  /** Processes of Temporal that are killed with -9 a second before the instant. */
  readonly killTemporalNode: readonly string[];
  /** Seconds for which they do not come back. */
  readonly temporalDown: number;
  /** Seconds that dispatchers wait for a herd that is planned already, at the least. */
  readonly rest: number;
}

export interface RunningContender {
  /** When all are due, epoch ms. */
  readonly dueAt: number;
  /** Something that a reader of the figures has to know. */
  readonly remarks: readonly string[];
  /** What it holds for a user who waits; null when it is not asked. */
  readonly sleeper: Sleeper | null;
  /** Deliveries that it has not booked as done. */
  unfinished(): Promise<number>;
  /** What is known only at the end, such as the events of a history. */
  afterwards?(): Promise<readonly string[]>;
  stop(): Promise<void>;
}

export interface Sleeper {
  /** Bytes of a sleeping workflow's history, the mean of a sample. */
  readonly historyBytes: number;
  readonly historyEvents: number;
  /** Bytes that the Temporal server's storage has grown by, for each user. */
  readonly storageBytes: number;
}
