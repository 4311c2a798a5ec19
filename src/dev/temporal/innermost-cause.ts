/** Temporal's SDK chains its causes in one line, outermost first, each with the whole address: gives the last. */
export function innermostCause(error: unknown): string {
  const message = (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ');
  return message.split('): ').at(-1) ?? message;
}
