/** Of an answer, this much is kept in the ledger: enough for an error page's first words. */
export const MAX_EXCERPT_BYTES = 1024;

/**
 * The beginning of an answer as text that is safe to show: no control characters, line
 * breaks included, and none that turn the direction of what stands around it (they make a
 * text look like another, Unicode TR 36). Null when nothing is left.
 */
export function excerptOf(body: Uint8Array): string | null {
  // As a stream, so that a character that the cut goes through is left out, not garbled.
  const text = new TextDecoder().decode(body.subarray(0, MAX_EXCERPT_BYTES), { stream: true });
  const clean = text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, ' ').trim();
  return clean === '' ? null : clean;
}
