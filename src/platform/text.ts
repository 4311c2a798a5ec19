/** Control characters and line separators; the bidi embeddings, overrides and isolates. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u;
const BIDI = /[\u202a-\u202e\u2066-\u2069]/;

/**
 * White space, controls, what Unicode says to ignore; and characters that are blank although no
 * Unicode property says so: the braille pattern, the hieroglyphs, the Khitan filler and the
 * notehead.
 */
const SOMETHING_SEEN =
  /[^\p{Z}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u{16fe4}\u2800\u{13441}\u{13442}\u{1d159}]/u;

/** Whether a text has no visible character. */
export function isBlank(text: string): boolean {
  return !SOMETHING_SEEN.test(text);
}

/** What {@link textFault} allows, as a pattern for OpenAPI (ECMA-262), lone surrogates aside. */
export const TEXT_PATTERN = '^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]*$';

/**
 * Returns the rule that a text breaks by its length, in words that follow the field's name, or
 * null.
 */
export function lengthFault(text: string, max: number): string | null {
  // A code point is at most two units: this cheap check avoids counting most texts.
  if (text.length <= max) return null;
  return [...text].length > max ? `must have at most ${max} code points` : null;
}

/** The same for its characters: invisible ones must not mislead readers. */
export function textFault(text: string): string | null {
  if (!text.isWellFormed()) return 'must be well-formed Unicode, without lone surrogates';
  if (CONTROL.test(text)) return 'must not contain control characters';
  return BIDI.test(text) ? 'must not contain characters that override the direction of text' : null;
}
