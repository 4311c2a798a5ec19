import { describe, expect, test } from 'vitest';

import { type ColumnField, findDelimiter, readHeader } from './columns.ts';

const noMap = new Map<string, ColumnField>();
const header = (line: string, map = noMap) => readHeader(line.split(','), map);

describe('a header', () => {
  test.for([
    ['Record ID,First Name,Last Name,Date of birth', 'HubSpot'],
    ['Contact ID,FirstName,LastName,Birthdate', 'Salesforce'],
    ['Id,Given Name,Family Name,Birthday', 'address books'],
    ['Kundennummer,Vorname,Nachname,Geburtsdatum', 'German exports'],
    ['external_id,first-name, LAST NAME ,date_of_birth', 'databases'],
  ] as const)('may be %s (%s)', ([line]) => {
    expect(header(line)).toEqual({
      fields: ['externalId', 'firstName', 'lastName', 'dateOfBirth'],
      ignored: [],
    });
  });

  test('may be in any order, and have columns that are not read', () => {
    expect(header('e-mail,timezone,externalId,refusedBecause')).toEqual({
      fields: [null, 'timezone', 'externalId', null],
      ignored: ['e-mail'],
    });
  });

  test('may name fields differently, if a map says so', () => {
    const map = new Map<string, ColumnField>([['Jubiläum', 'occasionDate']]);
    expect(header('id,Jubiläum', map)).toMatchObject({ fields: ['externalId', 'occasionDate'] });
  });

  test.for([
    ['firstName,lastName', noMap, /must be a column.*firstName, lastName/],
    ['id,birthday,Date of Birth', noMap, /twice.*"birthday" and "Date of Birth"/],
    ['id', new Map<string, ColumnField>([['Geb', 'dateOfBirth']]), /name of a column/],
    ['', noMap, /must be a column/],
  ] as const)('may not be %j', ([line, map, rule]) => {
    const read = header(line, map);
    expect('faults' in read ? read.faults[0]?.rule : null).toMatch(rule);
  });
});

test.for([
  ['id,first name,birthday', ','],
  ['id;first name;birthday', ';'],
  ['"id"\t"first name"', '\t'],
  ['id|birthday|note, with; commas', '|'],
  ['id', ','],
] as const)('the separator of %j is %j', ([line, delimiter]) => {
  expect(findDelimiter(line, noMap)).toBe(delimiter);
});
