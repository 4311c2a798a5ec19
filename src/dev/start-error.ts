/**
 * Thrown when Daybell cannot start, or go on, for a reason that the person at the
 * terminal can do something about. The message is all they get to see.
 */
export class StartError extends Error {
  override readonly name = 'StartError';
  /** 78 (EX_CONFIG of sysexits.h) for settings that are not usable, otherwise 1. */
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
