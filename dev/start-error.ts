/**
 * Thrown when Daybell cannot start, or continue, and the user can fix it. They see only the
 * message.
 */
export class StartError extends Error {
  override readonly name = 'StartError';
  /** 78 (EX_CONFIG of sysexits.h) for unusable settings, otherwise 1. */
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
