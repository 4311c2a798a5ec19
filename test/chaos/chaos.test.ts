// @module-tag long
/** The short form of `npm run test:chaos`: about a minute of faults on real processes. */
import { beforeAll, expect, test } from 'vitest';

import { findDevServerProgram, findWorkflowBundle } from '../support/temporal.ts';
import { InvalidOptionsError, parseOptions } from './options.ts';
import { runChaos } from './run.ts';

beforeAll(findDevServerProgram, 25 * 60_000);

/** Always the same, so that a failed run can be repeated. */
const SHORT = {
  seed: 1,
  minutes: 1,
  users: 60,
  kills: 7,
  temporal: 'dev',
  temporalNodes: 1,
} as const;

test(
  'killed, cut off and refused everywhere: every due user is greeted, and none twice without a reason',
  { timeout: 15 * 60_000 },
  async () => {
    const said: string[] = [];
    const bundle = { WORKFLOW_BUNDLE: await findWorkflowBundle() };
    const result = await runChaos(SHORT, (line) => said.push(line), bundle);
    const { breaches, shortfalls } = result;
    expect({ breaches, shortfalls, said }).toEqual({ breaches: [], shortfalls: [], said });
    expect(Object.values(result.kills).every((count) => count > 0)).toBe(true);
    expect(result.linkFaults).toBeGreaterThan(0);
  },
);

test('arguments are whole numbers within bounds; every fault is reported', () => {
  const args = ['--seed', 'x', '--kills', '1001', '--users', '20'];
  const parse = () => parseOptions(args, () => 4);
  expect(parse).toThrow(InvalidOptionsError);
  expect(parse).toThrow(/--seed: must be a whole number from 0 to 2147483647\n--kills: must be/);
  expect(() => parseOptions(['--minute', '3'], () => 4)).toThrow(/--minute/);
  expect(parseOptions(['--minutes', '3'], () => 4)).toEqual({
    seed: 4,
    minutes: 3,
    users: 2700,
    kills: 40,
    temporal: 'dev',
    temporalNodes: 1,
  });
  expect(() => parseOptions(['--temporal', 'cloud'], () => 4)).toThrow(
    '--temporal: must be dev or postgres',
  );
  expect(parseOptions(['--temporal', 'postgres'], () => 4).temporal).toBe('postgres');
  const cluster = ['--temporal-nodes', '2'];
  expect(() => parseOptions(cluster, () => 4)).toThrow(
    '--temporal-nodes: the dev server has none, --temporal postgres does',
  );
  expect(parseOptions(['--temporal', 'postgres', ...cluster], () => 4).temporalNodes).toBe(2);
  expect(() => parseOptions(['--temporal', 'postgres', '--temporal-nodes', '6'], () => 4)).toThrow(
    '--temporal-nodes: must be a whole number from 1 to 5',
  );
});
