import { pollingEngine } from './polling.ts';

export const engine = pollingEngine('every-minute');
