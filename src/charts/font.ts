/** For all text that is not a title, in the drawing's units. */
export const FONT_SIZE = 12;

/**
 * Room for a letter of any usual font of this size, both in the drawing's units: outside a browser
 * there is no font to measure.
 */
export function letterWidth(fontSize = FONT_SIZE): number {
  return fontSize * 0.6;
}
