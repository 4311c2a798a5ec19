/** All contenders, in the order of their turns. */
import { engineContender } from '../support/engine-contender.ts';
import type { Contender } from './contender.ts';
import { daybell, workflowsAlone } from './daybell.ts';
import { fire, missed } from './fire.ts';

export const CONTENDERS: readonly Contender[] = [
  daybell,
  workflowsAlone,
  engineContender({
    name: 'textbook',
    about: 'a workflow for each user: timer, then activity; default settings',
    module: 'textbook.ts',
    loadsPerSecond: 60,
  }),
  engineContender({
    name: 'pg-boss',
    about: 'a job for each user with startAfter; default settings',
    module: 'pg-boss.ts',
    loadsPerSecond: 1_000,
  }),
  engineContender({
    name: 'pg-boss-tuned',
    about: 'the same with 4 workers, batches of 100, and the next at once while they are full',
    module: 'pg-boss-tuned.ts',
    loadsPerSecond: 1_000,
  }),
  engineContender({
    name: 'polling-minute',
    about: 'the claim query of a cron job: each minute, 100 users',
    module: 'polling-minute.ts',
    loadsPerSecond: 5_000,
    atFullMinutes: true,
  }),
  engineContender({
    name: 'polling-loop',
    about: 'the same each minute, until no user is due',
    module: 'polling-loop.ts',
    loadsPerSecond: 5_000,
    atFullMinutes: true,
  }),
  engineContender({
    name: 'floor',
    about: 'the same signed bodies over the same sockets by got, with no engine',
    module: 'floor.ts',
    loadsPerSecond: 50_000,
  }),
  engineContender({
    name: 'floor-http',
    about: 'the same by node:http itself',
    module: 'floor-http.ts',
    loadsPerSecond: 50_000,
  }),
  engineContender({
    name: 'floor-undici',
    about: 'the same by undici',
    module: 'floor-undici.ts',
    loadsPerSecond: 50_000,
  }),
];

/** Run only on request: they are stages of Daybell, not alternatives to it. */
export const STAGES: readonly Contender[] = [fire, missed];
