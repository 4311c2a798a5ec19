/** What the User Context needs from the outside. Implemented in src/persistence and src/zones. */
import type { ZoneLaw } from '../domain/zone.ts';
import type { UserEvent } from './events.ts';

/** A user as the system of record has it. Instants are epoch ms, dates `YYYY-MM-DD`. */
export interface User {
  readonly id: string;
  readonly externalId: string | null;
  readonly firstName: string;
  readonly lastName: string;
  readonly dateOfBirth: string;
  readonly timezone: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** When date of birth or timezone last changed; at first, `createdAt`. */
  readonly factsChangedAt: number;
  /** 1 at first, and one more with each change. */
  readonly revision: number;
}

/** What a caller can change. */
export const USER_FIELDS = [
  'externalId',
  'firstName',
  'lastName',
  'dateOfBirth',
  'timezone',
] as const satisfies readonly (keyof User)[];
export type UserField = (typeof USER_FIELDS)[number];

/** The facts that decide when a user's events are due; a change of any of them plans again. */
export const FACT_FIELDS: readonly UserField[] = ['dateOfBirth', 'timezone'];

/** Epoch ms now: an argument, so that a test can be in another year. */
export type Clock = () => number;

/** What creating or changing a user takes. */
export interface UserDeps {
  readonly users: UserStore;
  readonly clock: Clock;
  readonly law: ZoneLaw;
}

/** The system of record. An id that is no uuid is nobody's. */
export interface UserStore {
  find(id: string): Promise<User | null>;
  /** Ordered by id, which is the order of creation. */
  list(query: UserQuery): Promise<readonly User[]>;
  /** All that is written in `work` is seen by others at once, or not at all. */
  transaction<Result>(work: (tx: UserTransaction) => Promise<Result>): Promise<Result>;
}

export interface UserQuery {
  /** Only users after this id. */
  readonly after: string | null;
  readonly limit: number;
  readonly externalId: string | null;
  readonly timezone: string | null;
}

export interface UserTransaction {
  /** Locks the user until the end: of two changes, the second sees what the first made. */
  lock(id: string): Promise<User | null>;
  /** @throws ExternalIdTakenError */
  insert(user: User): Promise<void>;
  /** @throws ExternalIdTakenError */
  update(user: User): Promise<void>;
  delete(id: string): Promise<void>;
  /** From now on the user has this date and zone: what the audit reads. */
  openHistory(user: User, from: number): Promise<void>;
  closeHistory(userId: string, until: number): Promise<void>;
  /** Writes the event for each of its subscribers. */
  publish(event: UserEvent): Promise<void>;
  /** Takes the key for an answer, or gives the answer that has it; waits for a rival to end. */
  claimKey(answer: IdempotentAnswer, createdAt: number): Promise<IdempotentAnswer | null>;
  /** Takes the user out of kept answers; their keys stay taken. */
  forgetAnswers(userId: string): Promise<void>;
}

/** What a creation answered to a request that may come again. */
export interface IdempotentAnswer {
  readonly key: string;
  /** Tells one request from another; empty when the user was deleted since. */
  readonly requestHash: string;
  readonly userId: string;
  /** The user as created; null when deleted since. */
  readonly user: User | null;
}
