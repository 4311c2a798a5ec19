/** Spans of one process. There is none when traces are off: then nothing is wrapped in any. */
export interface Tracing {
  /** Runs `work` in a span, which ends with it; what it rejects with is the span's error. */
  span<Result>(about: SpanAbout, work: (span: TraceSpan) => Promise<Result>): Promise<Result>;
  /** The `traceparent` of the span that the caller runs in; null outside of any. */
  active(): string | null;
  /** Sends what is left, within a few seconds. */
  stop(): Promise<void>;
}

export interface SpanAbout {
  readonly name: string;
  readonly kind: 'server' | 'client' | 'producer' | 'consumer' | 'internal';
  /** A `traceparent` to go on from; otherwise it is the first of a trace. */
  readonly parent: string | null;
  /** Another trace that has led to this one. */
  readonly link?: string | null;
  readonly attributes?: SpanAttributes;
}

/** Ids, counts and words of our own: no names, no dates of birth, no addresses with secrets. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface TraceSpan {
  readonly traceparent: string;
  rename(name: string): void;
  set(attributes: SpanAttributes): void;
  /** @param type of the error: a class, a status, a code; never a message */
  fail(type: string): void;
}
