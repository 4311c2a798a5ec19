/** How commands end, but for 0: all is well. Those above 63 are of sysexits.h. */
export const EXIT = {
  failed: 1,
  badInput: 2,
  usage: 64,
  /** What it asks is not there, or does not answer. */
  unavailable: 69,
  config: 78,
} as const;
