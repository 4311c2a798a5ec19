/** A CSV file of users for the API to import. */
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { request } from 'node:http';
import { pipeline } from 'node:stream/promises';

const ZONES = [
  'Europe/Berlin',
  'Europe/London',
  'America/New_York',
  'America/Chicago',
  'Asia/Tokyo',
  'Asia/Kolkata',
  'Australia/Sydney',
  'America/Sao_Paulo',
];
const NAMES = ['Ada', 'Grace', 'Zoë', 'José', 'Anne-Marie', '李', 'Søren', 'Olga'];

/** Born on any day from 1950 to 2009; the faulty rows are spread over the file. */
export async function writePeople(path: string, users: number, faulty: number): Promise<void> {
  const out = createWriteStream(path);
  out.write('externalId,firstName,lastName,dateOfBirth,timezone\r\n');
  const every = faulty === 0 ? Infinity : Math.max(1, Math.floor(users / faulty));
  let written = 0;
  for (let at = 0; at < users; at += 1) {
    const date = new Date(Date.UTC(1950, 0, 1 + ((at * 7_919) % 21_900)))
      .toISOString()
      .slice(0, 10);
    const row = `crm-${at},${NAMES[at % NAMES.length]},"Example, ${at}",${date},${ZONES[at % ZONES.length]}\r\n`;
    if (!out.write(row)) await once(out, 'drain');
    if (at % every === 0 && written < faulty) {
      written += 1;
      out.write(`bad-${at},Bob,,${written % 2 === 0 ? '1990-02-30' : '5/20'},Europe/Berlin\r\n`);
    }
  }
  out.end();
  await once(out, 'finish');
}

interface ImportSummary {
  readonly rows: number;
  readonly refused: number;
  readonly users: { readonly created: number };
}

/** Returns the summary at the end of the API's response. */
export async function importFile(url: string, file: string): Promise<ImportSummary> {
  const sending = request(`${url}/v1/imports`, {
    method: 'POST',
    headers: { 'Content-Type': 'text/csv' },
  });
  const answered = once(sending, 'response');
  const sent = pipeline(createReadStream(file), sending);
  const [response] = await answered;
  let text = '';
  for await (const part of response.setEncoding('utf8')) {
    text = `${text}${part}`.slice(-4_096);
  }
  await sent;
  const last = JSON.parse(text.trim().split('\n').at(-1) ?? '');
  if (last.type !== 'summary') throw new Error(`the import ended early: ${text}`);
  return last;
}
