/** The results of one contender in the herd bench. */
import type { Sleeper } from '../contenders/contender.ts';
import type { MeterReport } from './meter.ts';
import type { Distribution } from './statistics.ts';

export interface HerdResult {
  readonly contender: string;
  readonly about: string;
  readonly users: number;
  /** ISO 8601, UTC. */
  readonly dueAt: string;
  /** Distinct users whose greeting arrived. */
  readonly delivered: number;
  readonly missing: number;
  /** Requests beyond the first for the same `webhook-id`. */
  readonly duplicates: number;
  /** Arrived before the instant. */
  readonly early: number;
  readonly unsigned: number;
  /** Of first arrivals at the receiver, in ms after the instant. */
  readonly latenessMs: Distribution | null;
  /** From the instant until the contender had recorded all; null if it was stopped before. */
  readonly settledAfterMs: number | null;
  /** Stopped before all had arrived. */
  readonly stopped: boolean;
  readonly sleeper: Sleeper | null;
  readonly usage: MeterReport;
  /** Committed transactions for each user, all databases together, loading included. */
  readonly transactionsPerUser: number;
  readonly remarks: readonly string[];
  /** Lateness of each first arrival, in ms, ascending. */
  readonly arrivalsMs: readonly number[];
}
