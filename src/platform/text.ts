/** Control characters and line separators; the bidi embeddings, overrides and isolates. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u;
const BIDI = /[\u202a-\u202e\u2066-\u2069]/;

/** What {@link textFault} allows, for an OpenAPI description (ECMA-262; lone surrogates apart). */
export const TEXT_PATTERN = '^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]*$';

/** The rule that a text breaks by its length, in words that follow the field's name, or null. */
export function lengthFault(text: string, max: number): string | null {
  // A code point is at most two units: the cheap test spares counting most texts.
  if (text.length <= max) return null;
  return [...text].length > max ? `must have at most ${max} code points` : null;
}

/** The same for its characters: invisible ones must not mislead readers. */
export function textFault(text: string): string | null {
  if (!text.isWellFormed()) return 'must be well-formed Unicode, without lone surrogates';
  if (CONTROL.test(text)) return 'must not contain control characters';
  return BIDI.test(text) ? 'must not contain characters that override the direction of text' : null;
}
