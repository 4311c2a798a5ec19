/** The destination of `WEBHOOK_URL`, used by every occasion type that names no other. */
export const DEFAULT_DESTINATION = 'default';
