import { describe, expect, test } from 'vitest';

import {
  firstDateOfKey,
  isOccasionType,
  isOccurrenceKey,
  occasionOfWorkflowId,
  occurrenceKey,
  workflowId,
} from '../../src/ledger/occurrence-key.ts';

const ID = '0197c3b1-9a4e-7c55-8f3a-1d2e3f405162';

describe('the key of an occurrence', () => {
  test.each([
    ['birthday', 'birthday', '2027-02-29', `birthday:${ID}:2027`, '2027-01-01'],
    ['birthday-reminder', 'birthday', '2027-05-20', `birthday-reminder:${ID}:2027`, '2027-01-01'],
    ['renewal', 'yearly', '2027-05-20', `renewal:${ID}:2027`, '2027-01-01'],
    ['renewal', 'rrule', '2027-05-20', `renewal:${ID}:2027-05-20`, '2027-05-20'],
    ['pay-day-2', 'monthly', '2027-02-30', `pay-day-2:${ID}:2027-02-30`, '2027-02-30'],
  ])('of a %s that recurs %s, on %s, is %s', (type, recurrence, nominalDate, key, firstDate) => {
    expect(occurrenceKey({ type, id: ID }, nominalDate, recurrence)).toBe(key);
    expect(isOccurrenceKey(key)).toBe(true);
    expect(firstDateOfKey(key, nominalDate)).toBe(firstDate);
  });

  test.each([
    '',
    'birthday',
    `birthday:${ID}`,
    `birthday:${ID}:2027-05-20`,
    `birthday:${ID}:27`,
    `anniversary:${ID}:2027-05`,
    `Anniversary:${ID}:2027-05-20`,
    `2nd:${ID}:2027-05-20`,
    `anniversary:${ID.toUpperCase()}:2027-05-20`,
    `anniversary:nobody:2027-05-20`,
    `anniversary:${ID}:2027-05-20 `,
    `anniversary:${ID}:2027-05-20\n`,
  ])('is not %j', (text) => {
    expect(isOccurrenceKey(text)).toBe(false);
  });
});

test.each([
  ['anniversary', true],
  ['pay-day-2', true],
  ['a', true],
  ['', false],
  ['-a', false],
  ['2nd', false],
  ['pay_day', false],
  ['a'.repeat(41), false],
])('%j as an occasion type: %s', (text, valid) => {
  expect(isOccasionType(text)).toBe(valid);
});

test('the id of an occasion workflow can be converted back to its occasion', () => {
  const occasion = { type: 'birthday', id: ID };
  expect(workflowId(occasion)).toBe(`birthday/${ID}`);
  expect(occasionOfWorkflowId(workflowId(occasion))).toEqual(occasion);
  expect(occasionOfWorkflowId('housekeeping')).toBeNull();
});
