import { expect, test } from 'vitest';

import type { ReconcileReport } from '../domain/reconcile-messages.ts';
import { needsOperator, reportInWords } from './reconcile-report.ts';

const WELL: ReconcileReport = {
  detected: {},
  repaired: {},
  unrepaired: {},
  tried: 0,
  startedAt: 0,
  durationMs: 1_234,
  examples: [],
  bystanders: { blocked: 0, waiting: 0, staleTokens: 0 },
  notLookedFor: [],
};

test('nothing is said in few words', () => {
  expect(reportInWords(WELL)).toBe('Nothing was missed.\n\nTook 1.2 s.\n');
  expect(needsOperator(WELL)).toBe(false);
});

test('what was found is a table; what is not repaired is named, with its workflow', () => {
  const report: ReconcileReport = {
    ...WELL,
    detected: { unattempted: 12, unplanned: 3 },
    repaired: { unattempted: 12 },
    unrepaired: { unplanned: 3 },
    examples: [
      {
        subject: 'birthday:u1',
        kind: 'unplanned',
        workflowId: 'birthday/u1',
        why: 'its workflow task has failed 7 times',
      },
    ],
    bystanders: { blocked: 2, waiting: 0, staleTokens: 0 },
  };
  expect(reportInWords(report).split('\n')).toEqual([
    '             found  repaired  not repaired',
    'unattempted     12        12             0  past its instant, and nobody would have attempted it',
    'unplanned        3         0             3  a user without a plan',
    '',
    'Not repaired: birthday:u1 (unplanned), workflow birthday/u1: its workflow task has failed 7 times.',
    '2 cannot be planned: GET /v1/occurrences?blocked=true.',
    'Took 1.2 s.',
    '',
  ]);
  expect(needsOperator(report)).toBe(true);
});

test('a kind that could not be looked for is said, and is for an operator', () => {
  const report: ReconcileReport = { ...WELL, notLookedFor: ['unfollowed'] };
  expect(reportInWords(report)).toContain('Could not look for what is unfollowed');
  expect(needsOperator(report)).toBe(true);
});
