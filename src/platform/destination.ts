/** The destination of `WEBHOOK_URL`, which every occasion type has that names no other. */
export const DEFAULT_DESTINATION = 'default';
