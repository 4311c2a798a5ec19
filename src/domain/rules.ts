import type { ZoneLaw } from './zone.ts';

/** How a 29 February birthday is kept in a common year. */
export type LeapDayPolicy = 'feb28' | 'mar1';

/** The settings that decide dates. */
export interface DateSettings {
  readonly leapDayPolicy: LeapDayPolicy;
  /** Wall-clock time of the greeting, `HH:MM`. */
  readonly localTime: string;
}

/** All that decides dates besides a user's own facts: part of every plan made under them. */
export interface DateRules extends DateSettings {
  readonly law: ZoneLaw;
}
