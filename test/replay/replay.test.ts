/**
 * What real workflows have in their past, replayed by the workflow code of now: code that
 * takes another way than the history breaks every user's workflow that has such a past.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { bundleWorkflowCode, DefaultLogger, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { beforeAll, expect, test } from 'vitest';

import type { WorkflowCode } from '../../src/worker/workflow-bundle.ts';
import { useWorkflowBundle } from '../support/temporal.ts';
import { runs } from './runs.ts';
import { scenarios } from './scenarios.ts';

const HISTORIES = join(import.meta.dirname, 'histories');
const names = readdirSync(HISTORIES).map((file) => file.replace(/\.json$/, ''));

let workflowBundle: WorkflowCode;
beforeAll(async () => {
  workflowBundle = await useWorkflowBundle();
});

test('there is a history for every path', () => {
  expect(names).toEqual(expect.arrayContaining(Object.keys({ ...scenarios, ...runs })));
  expect(names.length).toBeGreaterThan(0);
});

test.each(names)('the history «%s» can be replayed', async (name) => {
  await expect(replay(read(name))).resolves.toBeUndefined();
});

test.each(names)('the history «%s» contains no name and no date of birth', (name) => {
  const payloads = JSON.stringify(read(name)).matchAll(/"data":"([^"]*)"/g);
  const text = [...payloads].map(([, data = '']) => atob(data)).join('\n');
  expect(text).not.toBe('');
  expect(text).not.toMatch(/firstName|lastName|dateOfBirth|\b19\d\d-\d\d-\d\d\b/);
});

test('a history with a different activity cannot be replayed', async () => {
  const history = JSON.parse(JSON.stringify(read('settled')).replaceAll('"deliver"', '"send"'));
  await expect(replay(history)).rejects.toThrow(DeterminismViolationError);
});

test('an unsafe change of workflow code is detected', async () => {
  const changed = await bundleWorkflowCode({
    workflowsPath: join(import.meta.dirname, 'changed-workflow.ts'),
    logger: new DefaultLogger('ERROR'),
  });
  await expect(replay(read('asleep'), changed)).rejects.toThrow(DeterminismViolationError);
});

function replay(history: unknown, bundle = workflowBundle): Promise<void> {
  return Worker.runReplayHistory({ workflowBundle: bundle }, history, 'occasion/replayed');
}

function read(name: string): { events: { eventType: string }[] } {
  return JSON.parse(readFileSync(join(HISTORIES, `${name}.json`), 'utf8'));
}
