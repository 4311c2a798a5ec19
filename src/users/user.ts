import type { UserInput } from './user-input.ts';

/** Instants are epoch ms, dates `YYYY-MM-DD`. */
export interface User extends Readonly<UserInput> {
  readonly id: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** When date of birth or time zone last changed; at first, `createdAt`. */
  readonly inputsChangedAt: number;
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
] as const satisfies readonly (keyof UserInput)[];

/** Those among them that are schedule inputs: a change needs a new plan. */
export const INPUT_FIELDS: readonly (keyof UserInput)[] = ['dateOfBirth', 'timezone'];
