import { nodesOf } from '../../dev/temporal/production.ts';
import type { HerdOptions } from '../contenders/contender.ts';
import type { Options } from './options.ts';

export const HERD_OPTIONS = [
  'load',
  'head-start',
  'plan-rate',
  'until',
  'dispatchers',
  'kill-dispatcher',
  'kill-temporal-node',
  'temporal-down',
  'rest',
] as const;

/** Above this, loading through the API takes longer than is of interest here. */
const MOST_BY_API = 20_000;
/** Seconds for dispatchers to start, and for the database to write what was loaded. */
const LEAST_REST = 10;

/** How a Daybell herd of this size is loaded and planned. */
export function herdOptions(options: Options, users: number): HerdOptions {
  const nodes = nodesOf(options.number('temporal-nodes', 1)).map(({ name }) => name);
  return {
    load: options.choice('load', ['api', 'store'], users > MOST_BY_API ? 'store' : 'api'),
    headStart: options.number('head-start', 15, 0),
    // Two thirds of what two cores achieved, so that the instant is not too soon.
    planRate: options.number('plan-rate', 120),
    until: options.choice('until', ['settled', 'asleep'], 'settled'),
    dispatchers: options.number('dispatchers', 1),
    killDispatcher: options.number('kill-dispatcher', 0, 0),
    killTemporalNode: options.list('kill-temporal-node', nodes, []),
    temporalDown: options.number('temporal-down', 0, 0),
    rest: options.number('rest', LEAST_REST, LEAST_REST),
  };
}
