import { expect, test } from 'vitest';

import type { ReconcileReport } from '../workflows/maintenance-contract.ts';
import type { LedgerReport } from './ledger.ts';
import { ledgerInWords, needsOperator, workflowsInWords } from './report.ts';

const WELL: LedgerReport = {
  detected: {},
  repaired: {},
  unrepaired: {},
  examples: [],
  bystanders: { blocked: 0, waiting: 0 },
  durationMs: 1_234,
};
const WORKFLOWS_WELL: ReconcileReport = {
  detected: {},
  repaired: {},
  unrepaired: {},
  examples: [],
  rested: false,
  forgotten: 0,
  compared: null,
  notLookedFor: [],
};

test('nothing is said in few words', () => {
  expect(ledgerInWords(WELL)).toBe('Nothing was missed.\nTook 1.2 s.\n');
  expect(workflowsInWords(WORKFLOWS_WELL)).toBe('Nothing was missed.\n');
  expect([WELL, WORKFLOWS_WELL].some(needsOperator)).toBe(false);
});

test('what was found is a table, and what is not repaired is named, with the cause', () => {
  const report: LedgerReport = {
    ...WELL,
    detected: { unplanned: 12, impossible: 3 },
    repaired: { unplanned: 12 },
    unrepaired: { impossible: 3 },
    examples: [
      { subject: 'birthday/u1', kind: 'impossible', why: 'it has ended: birthday:u1:2027' },
    ],
    bystanders: { blocked: 2, waiting: 5 },
  };
  expect(ledgerInWords(report).split('\n')).toEqual([
    '            found  repaired  not repaired',
    'unplanned      12        12             0  an occasion without a plan',
    'impossible      3         0             3  a row in a state that nothing leads to: somebody has edited it',
    'Not repaired: birthday/u1 (impossible): it has ended: birthday:u1:2027.',
    '2 cannot be planned: GET /v1/occurrences?blocked=true.',
    '5 are due and wait: GET /v1/deliveries says why.',
    'Took 1.2 s.',
    '',
  ]);
  expect(needsOperator(report)).toBe(true);
});

test('a kind that could not be looked for is said, and is for an operator', () => {
  const report: ReconcileReport = { ...WORKFLOWS_WELL, notLookedFor: ['lost'] };
  expect(workflowsInWords(report)).toContain('Could not look for what is lost');
  expect(needsOperator(report)).toBe(true);
});

test('a lost store and a herd are said', () => {
  expect(workflowsInWords({ ...WORKFLOWS_WELL, forgotten: 7, compared: 0 })).toContain(
    'another Temporal store than before: 7 workflows',
  );
  expect(workflowsInWords({ ...WORKFLOWS_WELL, rested: true })).toContain('A herd is going out');
});
