import { expect, test } from 'vitest';

import { csvCell, withoutApostrophe } from './csv.ts';

test.each([
  ['Ada', 'Ada'],
  ['', ''],
  ['O"Neil, Jr.', '"O""Neil, Jr."'],
  [' Ada', '" Ada"'],
  ['=HYPERLINK("http://a.example")', `"'=HYPERLINK(""http://a.example"")"`],
  ['+cmd', "'+cmd"],
  ['-cmd', "'-cmd"],
  ['@SUM(A1)', "'@SUM(A1)"],
  ["'=1", "''=1"],
  ["'t Hooft", "'t Hooft"],
  ['-7', '-7'],
  ['+49301234', '+49301234'],
  ['-7+1', "'-7+1"],
])('%j becomes the cell %s, which no spreadsheet runs', (text, cell) => {
  expect(csvCell(text)).toBe(cell);
});

test.each(['=1', "'=1", "''=1", "'t Hooft", '-7', "'-7", "'", '@', 'Ada'])(
  'a cell of %j yields it again',
  (text) => {
    expect(withoutApostrophe(csvCell(text))).toBe(text);
  },
);
