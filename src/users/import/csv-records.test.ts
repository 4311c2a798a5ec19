import { describe, expect, test } from 'vitest';

import { type CsvRecord, readCsvRecords } from './csv-records.ts';
import { type Line, readLines, UnreadableFileError } from './lines.ts';

/** Any text may be cut anywhere in transit. */
async function* inChunks(bytes: Uint8Array, size = 3): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function linesOf(
  bytes: Uint8Array,
  { charset = null as string | null, maxBytes = 1_000, size = 3 } = {},
): Promise<Line[]> {
  return collect(readLines(inChunks(bytes, size), charset, maxBytes));
}

async function recordsOf(text: string, delimiter = ';', size = 7): Promise<CsvRecord[]> {
  const lines = readLines(inChunks(Buffer.from(text), size), null, 256 * 1024);
  return collect(readCsvRecords(lines, delimiter));
}

async function collect<Item>(blocks: AsyncIterable<readonly Item[]>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const block of blocks) items.push(...block);
  return items;
}

const valuesOf = async (text: string, delimiter?: string) =>
  (await recordsOf(text, delimiter)).map(
    ({ line, values, fault }) => fault ?? [line, values].flat(),
  );

describe('lines', () => {
  test.for([
    ['LF', 'a\nb\n'],
    ['CRLF', 'a\r\nb\r\n'],
    ['CR', 'a\rb\r'],
    ['no terminator at the end', 'a\r\nb'],
  ] as const)('may end in %s', async ([, text]) => {
    for (const size of [1, 2, 3, 100]) {
      const lines = await linesOf(Buffer.from(text), { size });
      expect(lines.map(({ number, text }) => [number, text])).toEqual([
        [1, 'a'],
        [2, 'b'],
      ]);
    }
  });

  test('that are empty are counted', async () => {
    const lines = await linesOf(Buffer.from('a\r\n\r\n\nb'));
    expect(lines.map(({ text }) => text)).toEqual(['a', '', '', 'b']);
  });

  test.for([
    ['UTF-8', Buffer.from('Zoë\nم'), null],
    ['UTF-8 with a byte order mark', Buffer.from('\ufeffZoë\nم'), null],
    ['UTF-16 of Excel', Buffer.from('\ufeffZoë\nم', 'utf16le'), null],
    ['UTF-16, big-endian', Buffer.from('\ufeffZoë\nم', 'utf16le').swap16(), null],
    ['UTF-16 without a mark, named', Buffer.from('Zoë\nم', 'utf16le'), 'utf-16le'],
    ['UTF-16 by its mark, whatever is named', Buffer.from('\ufeffZoë\nم', 'utf16le'), 'utf-8'],
  ] as const)('may be in %s', async ([, bytes, charset]) => {
    for (const size of [1, 3, 100]) {
      const lines = await linesOf(bytes, { charset, size });
      expect(lines.map(({ text, fault }) => [text, fault])).toEqual([
        ['Zoë', null],
        ['م', null],
      ]);
    }
  });

  test('may be in a named encoding', async () => {
    const lines = await linesOf(Buffer.from('Zo\xeb', 'latin1'), { charset: 'windows-1252' });
    expect(lines[0]?.text).toBe('Zoë');
  });

  test('that are not in UTF-8 are found one by one', async () => {
    const lines = await linesOf(Buffer.from('Ada\nZo\xeb\nBob', 'latin1'));
    expect(lines.map(({ fault }) => fault)).toEqual([
      null,
      expect.stringContaining('charset=windows-1252'),
      null,
    ]);
  });

  test('with NUL are found, like those of UTF-16 without a byte order mark', async () => {
    const lines = await linesOf(Buffer.from('a\0b\nc'));
    expect(lines[0]?.fault).toMatch(/NUL.*utf-16le/);
    expect(lines[1]).toMatchObject({ text: 'c', fault: null });
  });

  test('that are too long cost no memory, and affect no other line', async () => {
    const lines = await linesOf(Buffer.from(`a\n${'x'.repeat(2_000)}\nb`));
    expect(lines.map(({ text, fault }) => fault ?? text)).toEqual([
      'a',
      'must have at most 1000 bytes',
      'b',
    ]);
  });

  test('know their end position in the file', async () => {
    const lines = await linesOf(Buffer.from('abc\nde\nf'), { size: 1 });
    expect(lines.map(({ end }) => end)).toEqual([4, 7, 8]);
  });

  test('of an unknown encoding, or of invalid UTF-16, end the reading', async () => {
    await expect(linesOf(Buffer.from('a\nbc'), { charset: 'klingon' })).rejects.toThrow(
      UnreadableFileError,
    );
    const halfPair = Buffer.from([0xff, 0xfe, 0x00, 0xd8, 0x41, 0x00]);
    await expect(linesOf(halfPair)).rejects.toThrow(/not in utf-16le/);
  });
});

describe('CSV', () => {
  test.for([',', ';', '\t', '|'])('may be separated by %j', async (separator) => {
    const text = `a${separator}"b"${separator}c`;
    expect(await valuesOf(text, separator)).toEqual([[1, 'a', 'b', 'c']]);
  });

  test('may have quotes, separators and line breaks in quotes, and white space around fields', async () => {
    const text = 'x;y\n "a;1" ; "say ""hi"""\n"two\r\nlines";z\nlast;row';
    expect(await valuesOf(text)).toEqual([
      [1, 'x', 'y'],
      [2, 'a;1', 'say "hi"'],
      [3, 'two\nlines', 'z'],
      [5, 'last', 'row'],
    ]);
  });

  test('may end in 120 rows of separators, and have empty lines, which are left out', async () => {
    const text = `a;b\n\n;;\nc;d\n${';;;;\r\n'.repeat(120)}`;
    expect(await valuesOf(text)).toEqual([
      [1, 'a', 'b'],
      [4, 'c', 'd'],
    ]);
  });

  test('with a quote that is never closed loses only that line', async () => {
    const text = `a;1\nb;"2\n${'c;3\n'.repeat(3)}d;4`;
    expect(await valuesOf(text)).toEqual([
      [1, 'a', '1'],
      'has a quote that is never closed',
      [3, 'c', '3'],
      [4, 'c', '3'],
      [5, 'c', '3'],
      [6, 'd', '4'],
    ]);
  });

  test('with two such quotes among 200,000 rows loses two lines', async () => {
    const many = 200_000;
    const text = `a;1\nb;"2\n${'c;3\n'.repeat(many)}b;"2\nd;4`;
    const records = await recordsOf(text, ';', 64 * 1024);
    expect(records).toHaveLength(many + 4);
    expect(records.filter(({ fault }) => fault !== null).map(({ line }) => line)).toEqual([
      2,
      many + 3,
    ]);
  });

  test('with quotes where none are allowed loses only those lines', async () => {
    const text = 'a;1\n5" pipe;2\n6" pipe;3\n"b"x;4\nc"d"e;5\nf;6';
    const found = await valuesOf(text);
    expect(found[0]).toEqual([1, 'a', '1']);
    expect(found.at(-1)).toEqual([6, 'f', '6']);
    expect(found.filter((one) => typeof one === 'string')).toHaveLength(4);
  });

  test('with 10 MB in one field loses only that line', async () => {
    const text = `a;1\nb;${'x'.repeat(10 * 1024 * 1024)}\nc;3`;
    const records = await recordsOf(text, ';', 64 * 1024);
    expect(records.map(({ fault, values }) => fault ?? values)).toEqual([
      ['a', '1'],
      'must have at most 262144 bytes',
      ['c', '3'],
    ]);
  });

  test('is kept as it is, for the file of refused rows', async () => {
    const [first, second] = await recordsOf('"a" ; b\n"c\nd";e');
    expect(first?.text).toBe('"a" ; b');
    expect(second?.text).toBe('"c\nd";e');
  });
});
