/** Files of users imported in the console: checked, stored, with refused rows returned. */
import { beforeEach, describe, expect, test } from 'vitest';

import { hashToken } from '../../src/access/bearer.ts';
import { createTestApi, useTestApi } from '../support/api.ts';
import { type ConsolePage, type ConsoleVisitor, visitConsole } from '../support/console.ts';

const HEADER = 'externalId,firstName,lastName,dateOfBirth,timezone';
const ADA = 'crm-1,Ada,Lovelace,1990-12-10,Europe/London';
const HOSTILE = '<script>alert(1)</script>';
const REFUSED = `crm-2,${HOSTILE},Hopper,1990-13-45,America/New_York`;
const PATH = '/console/import';

const api = useTestApi();
let visitor: ConsoleVisitor;

beforeEach(async () => {
  await api.sql('truncate users.users, users.history, users.outbox cascade');
  visitor = visitConsole(api.app);
});

type Fields = Readonly<Record<string, string>>;

async function csrf(): Promise<string> {
  const page = await visitor.open(`http://localhost${PATH}`);
  return /name="csrf" value="([^"]+)"/.exec(page.html)?.[1] ?? '';
}

async function send(
  text: string | Blob,
  fields: Fields = {},
  name = 'people.csv',
  headers: Record<string, string> = {},
) {
  const body = new FormData();
  for (const [field, value] of Object.entries({ csrf: await csrf(), ...fields })) {
    body.append(field, value);
  }
  body.append('file', new File([text], name));
  return visitor.request(PATH, { method: 'POST', body, headers });
}

const users = () => api.sql<{ name: string }>('select first_name as name from users.users');

test('is checked first, and stores nothing; the link for the import has the same options', async () => {
  const page = await send(`${HEADER}\n${ADA}\n`, { timezone: 'Europe/Berlin' });
  expect(page.status).toBe(200);
  expect(page.text).toContain('people.csv Checked: nothing was stored');
  expect(page.text).toContain('Users 1 0 0');
  expect(await users()).toEqual([]);

  const link = /href="([^"]*mode=import[^"]*)"/.exec(page.html)?.[1]?.replaceAll('&amp;', '&');
  const form = await visitor.open(link ?? '');
  expect(form.html).toContain('value="Europe/Berlin"');
  expect(form.html).toMatch(/value="import"\s+checked/);
  const imported = await send(`${HEADER}\n${ADA}\n`, { mode: 'import' });
  expect(imported.text).toContain('Imported');
  expect(await users()).toEqual([{ name: 'Ada' }]);
});

test('refused rows are shown, and can be downloaded unchanged with the reasons in front', async () => {
  const page = await send(`${HEADER}\n${ADA}\n${REFUSED}\n`, { mode: 'import' });
  expect(page.text).toContain('1 row refused');
  expect(page.text).toMatch(/3 dateOfBirth must be .* 1990-13-45/);
  expect(page.html).not.toContain(HOSTILE);
  const [, file = ''] =
    /href="data:application\/octet-stream;base64,([^"]+)"/.exec(page.html) ?? [];
  const text = Buffer.from(file, 'base64').toString();
  expect(text).toMatch(new RegExp(`^refusedBecause,${HEADER}\r\n"dateOfBirth must be [^"]+",`));
  expect(text).toContain(`",${REFUSED}\r\n`);

  const corrected = await send(text.replace('1990-13-45', '1990-12-09'), { mode: 'import' });
  expect(corrected.text).toContain('Users 1 0 0');
  expect(await users()).toHaveLength(2);
});

describe('the result', () => {
  const addressIn = ({ html }: ConsolePage) => /content="0; url=([^"]+)"/.exec(html)?.[1] ?? '';

  test('has a page of its own, for the browser that sent the file and as long as it is kept', async () => {
    const sent = await send(`${HEADER}\n${ADA}\n${REFUSED}\n`);
    const page = await visitor.open(addressIn(sent));
    expect(page.status).toBe(200);
    expect(page.text).toContain('people.csv Checked: nothing was stored (1 row refused)');
    expect(page.html).toContain('download="refused-people.csv"');
    expect(page.html).not.toContain(HOSTILE);

    const other = visitConsole(api.app);
    expect((await other.open(addressIn(sent))).status).toBe(404);
    await api.sql('update events.console_results set expires_at = now()');
    const over = await visitor.open(addressIn(sent));
    expect(over.status).toBe(404);
    expect(over.text).toContain('This result is no longer kept');
  });

  test('is not kept for the script, which shows it beside the form', async () => {
    await api.sql('delete from events.console_results');
    const headers = { 'Sec-Fetch-Dest': 'empty' };
    const sent = await send(`${HEADER}\n${ADA}\n`, {}, 'people.csv', headers);
    expect(sent.text).toContain('Checked: nothing was stored');
    expect(addressIn(sent)).toBe('');
    expect(await api.sql('select 1 from events.console_results')).toEqual([]);
  });
});

test('refused rows of NDJSON, and more of them than a page can hold, are handled', async () => {
  const line = (nth: number) =>
    JSON.stringify({ externalId: `crm-${nth}`, lastName: 'x'.repeat(150) });
  const lines = Array.from({ length: 8_000 }, (_, nth) => line(nth));
  const page = await send(lines.join('\n'), {}, 'people.ndjson');
  expect(page.text).toContain('8,000 rows refused');
  expect(page.text).toContain('The first 20 of 8,000 refused rows');
  expect(page.text).toMatch(/Download the first \d,\d{3} rows/);
  expect(page.html.length).toBeLessThan(2_100_000);
});

test('options are those of the command: date format, encoding, columns, kind of file', async () => {
  const latin1 = Buffer.from(
    'Nummer;Vorname;Nachname;Geburt;Zeitzone\ncrm-3;Jörg;Müller;09.12.1990;Europe/Berlin\n',
    'latin1',
  );
  const page = await send(
    new Blob([latin1]),
    {
      mode: 'import',
      format: 'csv',
      dateFormat: 'DD.MM.YYYY',
      encoding: 'windows-1252',
      map: 'Nummer=externalId\r\nGeburt=dateOfBirth\r\n',
    },
    'people.txt',
  );
  expect(page.text).toContain('Users 1 0 0');
  expect(await users()).toEqual([{ name: 'Jörg' }]);
});

describe('is refused as a whole, with a page that says why', () => {
  test.for<[string, string, Fields, RegExp]>([
    ['a header without an id', 'firstName\nAda\n', {}, /externalId must be a column of the file/],
    ['a zone that is none', `${HEADER}\n`, { timezone: 'Mars/Olympus' }, /timezone must be/],
    ['a mapping that is none', `${HEADER}\n`, { map: 'nonsense' }, /map.* must be the name of/],
  ])('%s', async ([_what, text, fields, why]) => {
    const page = await send(text, fields);
    expect(page.status).toBe(400);
    expect(page.text).toMatch(why);
    // The input is still there.
    for (const value of Object.values(fields)) expect(page.html).toContain(value);
  });

  test('a field that is longer than the limit', async () => {
    const page = await send(`${HEADER}\n`, { map: 'Geburtstag=dateOfBirth\n'.repeat(400) });
    expect(page.status).toBe(413);
    expect(page.text).toContain('A field of the form is too long');
  });

  test('a missing file, and a missing form', async () => {
    const body = new FormData();
    body.append('csrf', await csrf());
    body.append('file', new File([], ''));
    const none = await visitor.request(PATH, { method: 'POST', body });
    expect(none.text).toContain('No file was chosen');
    const other = await visitor.request(PATH, { method: 'POST', body: 'text' });
    expect(other.text).toContain('The form did not arrive as a whole');
  });
});

/** A form whose file never ends, with a count of the parts that were read. */
function endlessUpload(token: string) {
  const read = { parts: 0 };
  const boundary = 'boundary';
  const part = (name: string, content: string, more = '') =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${content}`;
  const chunks = [part('csrf', `${token}\r\n`), part('file', `${HEADER}\n`, '; filename="a.csv"')];
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      read.parts += 1;
      const text = chunks.shift() ?? `${ADA.replace('crm-1', `crm-${read.parts}`)}\n`;
      controller.enqueue(new TextEncoder().encode(text));
    },
  });
  const headers = { 'Content-Type': `multipart/form-data; boundary=${boundary}` };
  const request = { method: 'POST', headers, body, duplex: 'half' } as RequestInit;
  return { request, read };
}

/** How much of an endless file the streams on the way buffer. */
const PARTS_ON_THE_WAY = 1_000;

test('a form of another session changes nothing, and nothing of its file is read', async () => {
  await csrf();
  const { request, read } = endlessUpload('foreign');
  const page = await visitor.request(PATH, request);
  expect(page.status).toBe(403);
  expect(page.text).toContain('does not belong to your session');
  expect(read.parts).toBeLessThan(PARTS_ON_THE_WAY);
  expect(await users()).toEqual([]);
});

test('a key that may not write users sees no form and has no effect, and nothing of its file is read', async () => {
  const key = `daybell_${'k'.repeat(43)}`;
  const other = await createTestApi({
    apiKeys: [{ name: 'watch', scopes: ['deliveries:read'], sha256: hashToken(key) }],
  });
  try {
    visitor = visitConsole(other.app);
    await visitor.submit(await visitor.open('/console/sign-in'), '/console/sign-in', { key });
    const page = await visitor.open(PATH);
    expect(page.status).toBe(403);
    expect(page.text).toContain('users:write');
    expect(page.html).not.toContain('type="file"');
    const today = await visitor.open('/console');
    const [, token = ''] = /name="csrf" value="([^"]+)"/.exec(today.html) ?? [];
    const { request, read } = endlessUpload(token);
    expect((await visitor.request(PATH, request)).status).toBe(403);
    expect(read.parts).toBeLessThan(PARTS_ON_THE_WAY);
    expect(await other.sql('select 1 from users.users')).toEqual([]);
  } finally {
    await other.database.drop();
  }
});
