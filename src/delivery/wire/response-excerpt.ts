/** The ledger keeps this much of an answer: enough for an error page's first words. */
export const MAX_EXCERPT_BYTES = 1024;

/**
 * Returns the beginning of an answer as text that is safe to show: without control characters, line
 * breaks and bidi controls (which make a text look like another, Unicode TR 36). Null if nothing is
 * left.
 */
export function excerptOf(body: Uint8Array): string | null {
  if (body.byteLength === 0) return null;
  // As a stream, so that a character that is cut in two is left out, not garbled.
  const text = new TextDecoder().decode(body.subarray(0, MAX_EXCERPT_BYTES), { stream: true });
  const clean = text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, ' ').trim();
  return clean === '' ? null : clean;
}
