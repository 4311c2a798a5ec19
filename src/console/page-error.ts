import type { ContentfulStatusCode } from 'hono/utils/http-status';

/** One fault of the input: the field and the rule that it breaks. */
export interface FormFault {
  readonly field: string;
  readonly rule: string;
}

/** Thrown to answer with a page that explains in a sentence what is wrong. */
export class PageError extends Error {
  override readonly name = 'PageError';
  readonly status: ContentfulStatusCode;
  /** What to do about it. */
  readonly advice: string;
  /** The code of the API's problem, for programs. */
  readonly code: string | null;
  readonly faults: readonly FormFault[];

  constructor(
    status: ContentfulStatusCode,
    message: string,
    advice = '',
    { code = null, faults = [] }: { code?: string | null; faults?: readonly FormFault[] } = {},
  ) {
    super(message);
    this.status = status;
    this.advice = advice;
    this.code = code;
    this.faults = faults;
  }
}

export const NO_PAGE = new PageError(404, 'There is no such page');
