/**
 * What happened to a user, written to the outbox in the transaction of the change. Ids and
 * names of fields only, no values: readers look at the user as it is by then.
 */
export type UserEvent = UserCreated | UserUpdated | UserDeleted;

/** There is a new user: always revision 1. */
export interface UserCreated extends OfUser {
  readonly type: 'UserCreated';
}

/** Some of a user's fields have other values than before. */
export interface UserUpdated extends OfUser {
  readonly type: 'UserUpdated';
  /** Names of `USER_FIELDS`. */
  readonly changed: readonly string[];
}

/** The user is gone, and this is the last of its events. The id is not given again. */
export interface UserDeleted extends OfUser {
  readonly type: 'UserDeleted';
}

interface OfUser {
  readonly userId: string;
  /** Of the user after this event: one more with each. */
  readonly revision: number;
}
