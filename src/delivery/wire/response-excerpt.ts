/** The ledger keeps this much of a response: enough for the first words of an error page. */
export const MAX_EXCERPT_BYTES = 1024;

/**
 * Returns the beginning of a response as text that is safe to show: without control characters,
 * line breaks and bidi controls (which make a text look like another, Unicode TR 36). Returns null
 * if nothing is left.
 */
export function excerptOf(body: Uint8Array): string | null {
  if (body.byteLength === 0) return null;
  // In streaming mode, so that a character that is cut in two is left out, not garbled.
  const text = new TextDecoder().decode(body.subarray(0, MAX_EXCERPT_BYTES), { stream: true });
  const clean = text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, ' ').trim();
  return clean === '' ? null : clean;
}
