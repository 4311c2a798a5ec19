import { expect, test } from 'vitest';

import { StartError } from '../start-error.ts';
import { readTemporalNodes, stackConnections } from './settings.ts';

test('Temporal is one process, or a cluster if it is asked for', () => {
  expect(readTemporalNodes([])).toBe(1);
  expect(readTemporalNodes(['--temporal-nodes', '1'])).toBe(1);
  expect(readTemporalNodes(['--temporal-nodes=2'])).toBe(2);
});

test.for([
  [['--temporal-nodes', '0'], '--temporal-nodes: must be a whole number from 1 to 5, not "0"'],
  [['--temporal-nodes', '6'], 'must be a whole number from 1 to 5'],
  [['--temporal-nodes', '1.5'], 'must be a whole number from 1 to 5'],
  [['--temporal-nodes='], 'must be a whole number from 1 to 5, not ""'],
  [['--temporal-nodes'], '--temporal-nodes'],
  [['--temporal-node', '2'], '--temporal-node'],
  [['2'], '2'],
] as const)('%j is refused like an unusable setting', ([args, reason]) => {
  expect(() => readTemporalNodes(args)).toThrow(
    expect.objectContaining({ exitCode: 78, message: expect.stringContaining(reason) }),
  );
  expect(() => readTemporalNodes(args)).toThrow(StartError);
});

test('PostgreSQL accepts the connections of every node', () => {
  const alone = stackConnections(10);
  expect(stackConnections(10, 1)).toBe(alone);
  // Seven processes, each with half of what the one has.
  expect(stackConnections(10, 2) - alone).toBe(7 * 25 - 50);
});
