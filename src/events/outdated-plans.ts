import type { EventType } from '../domain/event-type.ts';
import type { OccurrenceState } from '../domain/occurrence-state.ts';

/**
 * Plans that were made under other settings or by other zone law than those in force.
 * Implemented in src/persistence; instants are epoch ms.
 */
export interface OutdatedPlans {
  /**
   * Rows that nothing was sent for yet, after a place; first those without an instant,
   * then in the order of their instants. Fewer than `limit` only at the end.
   */
  findPage(basis: PlanBasis, after: PlanPlace, limit: number): Promise<OutdatedPlan[]>;
  /**
   * Plans that say the same under this basis are made under it from now on. Gives how many:
   * not those that were armed, changed or locked by somebody meanwhile.
   */
  restamp(basis: PlanBasis, plans: readonly OutdatedPlan[]): Promise<number>;
}

/** What a plan is made under: all that decides dates besides a user's own facts. */
export interface PlanBasis {
  readonly tzVersion: string;
  readonly localTime: string;
  readonly leapDayPolicy: string;
}

/** A place in the order of plans: among those without an instant, or among the others. */
export interface PlanPlace {
  readonly fireAt: number | null;
  readonly key: string;
}

export interface OutdatedPlan extends PlanPlace {
  readonly eventType: EventType;
  readonly userId: string;
  readonly year: number;
  readonly state: OccurrenceState;
  readonly anchorDate: string;
  readonly timezone: string;
  readonly localDate: string | null;
}
