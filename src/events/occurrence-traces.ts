import type { TracePoint } from '../domain/trace-point.ts';

/**
 * Which trace an occurrence belongs to, kept beside its row. Nothing but traces goes by it, so
 * what fails here fails nothing else. Implemented in src/persistence.
 */
export interface OccurrenceTraces {
  /** By key, those that have one. */
  find(keys: readonly string[]): Promise<Map<string, TracePoint>>;
  keep(key: string, point: TracePoint): Promise<void>;
}
