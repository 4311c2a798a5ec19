import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { InvalidSettingsError } from '../settings/settings.ts';
import { databaseTls } from './tls.ts';

let directory: string;
let pem: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'daybell-tls-'));
  pem = join(directory, 'some.pem');
  writeFileSync(pem, 'a certificate');
});
afterAll(() => rmSync(directory, { recursive: true }));

const urlWith = (parameters: string) =>
  `postgresql://daybell:secret@db.example.com/daybell?${parameters.replaceAll('PEM', pem)}`;

test.for(['', 'sslmode=disable', 'application_name=x'])('«%s» is not encrypted', (parameters) => {
  expect(databaseTls(urlWith(parameters))).toBeNull();
});

test.for([
  ['sslmode=require', false, null],
  ['sslmode=require&sslrootcert=PEM', true, 'a certificate'],
  ['sslmode=verify-ca&sslrootcert=PEM', true, 'a certificate'],
  ['sslmode=verify-full', true, null],
  ['sslmode=verify-full&sslrootcert=PEM', true, 'a certificate'],
] as const)('«%s»: verified is %s', ([parameters, rejectUnauthorized, ca]) => {
  const options = databaseTls(urlWith(parameters));
  expect(options).toMatchObject({ rejectUnauthorized, ...(ca !== null && { ca }) });
  expect(options && 'ca' in options).toBe(ca !== null);
});

test('«system» is what Node trusts', () => {
  const options = databaseTls(urlWith('sslmode=verify-full&sslrootcert=system'));
  expect(options?.ca).toContain('BEGIN CERTIFICATE');
});

test('only verify-full checks the name of the host', () => {
  const certificate = { subject: { CN: 'other' }, subjectaltname: 'DNS:other.example.com' };
  const check = (mode: string) =>
    databaseTls(urlWith(`sslmode=${mode}&sslrootcert=PEM`))?.checkServerIdentity?.(
      'ignored',
      certificate as never,
    );
  expect(check('verify-full')?.message).toContain('db.example.com');
  expect(check('verify-ca')).toBeUndefined();
});

test('a client certificate comes with its key', () => {
  const options = databaseTls(urlWith('sslmode=require&sslcert=PEM&sslkey=PEM'));
  expect(options).toMatchObject({ cert: 'a certificate', key: 'a certificate' });
});

test.for([
  ['sslmode=prefer', 'sslmode of disable, require'],
  ['sslmode=no-verify', 'sslmode of disable, require'],
  ['ssl=true', 'has ssl; TLS is set by sslmode'],
  ['SSLMODE=verify-full', 'has SSLMODE; TLS is set by sslmode'],
  ['sslrootcert=PEM', 'has sslrootcert without sslmode'],
  ['sslmode=verify-ca', 'needs sslrootcert'],
  ['sslmode=require&sslcert=PEM', 'both are needed'],
  ['sslmode=verify-full&sslrootcert=/nowhere.pem', '/nowhere.pem as sslrootcert, which cannot'],
] as const)('«%s» is refused, without the password', ([parameters, why]) => {
  const read = () => databaseTls(urlWith(parameters));
  expect(read).toThrow(InvalidSettingsError);
  expect(read).toThrow(why);
  expect(read).not.toThrow('secret');
});
