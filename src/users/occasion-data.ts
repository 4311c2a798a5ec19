/** Data that callers attach to an occasion, for its receiver. */
export type OccasionData = Readonly<Record<string, unknown>>;

const DATA_MAX_BYTES = 4096;
/** Parsers have different limits; no occasion needs this much. */
const DATA_MAX_DEPTH = 32;

/** Returns the rule that a value breaks, in words that follow the field's name, or null. */
export function dataFault(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return 'must be a JSON object';
  }
  const fault = valueFault(value, 1);
  if (fault !== null) return fault;
  const isTooLarge = Buffer.byteLength(JSON.stringify(value)) > DATA_MAX_BYTES;
  return isTooLarge ? `must have at most ${DATA_MAX_BYTES} bytes as JSON` : null;
}

/** As it comes back from the database, which has no -0. */
export function asStored(data: OccasionData | null): OccasionData | null {
  return JSON.parse(JSON.stringify(data)) as OccasionData | null;
}

/** PostgreSQL stores neither NUL nor lone surrogates, and a number must come back unchanged. */
function valueFault(value: unknown, depth: number): string | null {
  if (depth > DATA_MAX_DEPTH) return `must not be nested deeper than ${DATA_MAX_DEPTH} levels`;
  if (typeof value === 'string') {
    const isStorable = value.isWellFormed() && !value.includes('\0');
    return isStorable ? null : 'must hold well-formed Unicode without NUL';
  }
  // A larger one may have lost digits when it was parsed.
  if (typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER) {
    return `must hold no number beyond ${Number.MAX_SAFE_INTEGER}, the greatest that keeps its digits: write it as text`;
  }
  if (typeof value !== 'object' || value === null) return null;
  for (const [name, held] of Object.entries(value)) {
    const fault = valueFault(name, depth) ?? valueFault(held, depth + 1);
    if (fault !== null) return fault;
  }
  return null;
}
