/** The options of `npm run bench:million`. */
import { COMMON_OPTIONS, type Options } from '../support/options.ts';

export const STAGES = ['notify', 'day', 'reads', 'actions', 'year'] as const;
export type Stage = (typeof STAGES)[number];

export const NAMES = [
  ...COMMON_OPTIONS,
  'users',
  'few',
  'stages',
  'notify-minutes',
  'dispatchers',
  'claims',
  'days',
  'storage',
  'shared-buffers',
  'pg-dump',
];

export interface MillionOptions {
  readonly users: number;
  readonly few: number;
  readonly stages: ReadonlySet<Stage>;
  readonly notifyMinutes: number;
  readonly dispatchers: number;
  readonly claims: number;
  readonly days: number;
  readonly storage: string;
  readonly sharedBuffers: string;
  readonly pgDump: string | null;
}

export function millionOptions(options: Options): MillionOptions {
  return {
    users: options.number('users', 1_000_000, 365),
    few: options.number('few', 10_000),
    stages: new Set(options.list('stages', STAGES, STAGES)),
    notifyMinutes: options.number('notify-minutes', 5),
    dispatchers: options.number('dispatchers', 2),
    claims: options.number('claims', 15),
    days: options.number('days', 365, 3),
    storage: options.text('storage', 'shipped'),
    sharedBuffers: options.text('shared-buffers', '2GB'),
    pgDump: options.text('pg-dump', '') || null,
  };
}
