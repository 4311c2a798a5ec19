import { expect, test } from 'vitest';

import type { ReconcileReport } from '../workflows/maintenance-contract.ts';
import type { Round } from './findings.ts';
import { describeReport, needsOperator } from './report.ts';

const WELL: Round = {
  detected: {},
  repaired: {},
  unrepaired: {},
  examples: [],
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

test('a healthy installation is described briefly', () => {
  expect(describeReport(WELL)).toBe('Nothing was missed.\n');
  expect(describeReport(WORKFLOWS_WELL)).toBe('Nothing was missed.\n');
  expect([WELL, WORKFLOWS_WELL].some(needsOperator)).toBe(false);
});

test('findings are counted by kind, and unrepaired ones are named, with the cause', () => {
  const report: Round = {
    ...WELL,
    detected: { unplanned: 12, impossible: 3 },
    repaired: { unplanned: 12 },
    unrepaired: { impossible: 3 },
    examples: [
      { subject: 'birthday/u1', kind: 'impossible', why: 'it has ended: birthday:u1:2027' },
    ],
  };
  expect(describeReport(report).split('\n')).toEqual([
    'unplanned: 12 found, 12 repaired, 0 not repaired (without a plan, or planned from inputs that have changed)',
    'impossible: 3 found, 0 repaired, 3 not repaired (a row in a state that no transition leads to: it was edited)',
    'Not repaired: birthday/u1 (impossible): it has ended: birthday:u1:2027.',
    '',
  ]);
  expect(needsOperator(report)).toBe(true);
});

test('a kind that could not be checked is named, and needs an operator', () => {
  const report: ReconcileReport = { ...WORKFLOWS_WELL, notLookedFor: ['lost'] };
  expect(describeReport(report)).toContain('Could not look for what is lost');
  expect(needsOperator(report)).toBe(true);
});

test('a lost store and a herd are mentioned', () => {
  expect(describeReport({ ...WORKFLOWS_WELL, forgotten: 7, compared: 0 })).toContain(
    'another Temporal store: 7 workflows',
  );
  expect(describeReport({ ...WORKFLOWS_WELL, rested: true })).toContain(
    'Postponed while a herd is sent',
  );
});
