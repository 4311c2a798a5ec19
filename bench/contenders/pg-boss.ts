import { pgBossEngine } from './pg-boss-engine.ts';

/** Its documented defaults: one job at a time, polled every two seconds. */
export const engine = pgBossEngine({});
