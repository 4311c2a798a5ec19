/** The event types of this installation: add one here, and its workflow to src/workflows/index.ts. */
import { birthday } from './birthday.ts';
import { registerEventTypes } from './registry.ts';

export const eventTypes = registerEventTypes([birthday]);
