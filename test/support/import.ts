/** Imports with a test's API, and their results. */
import type { ImportLine } from '../../src/users/import/import.ts';
import type { TestApi } from './api.ts';

export interface Imported {
  readonly status: number;
  readonly lines: readonly ImportLine[];
  readonly refused: readonly Extract<ImportLine, { type: 'refused' }>[];
  /** Undefined if the import ended early. */
  readonly summary: Extract<ImportLine, { type: 'summary' }> | undefined;
  /** As an object, if it was refused as a whole. */
  readonly problem: { readonly errors?: readonly { field: string; rule: string }[] } | null;
}

export const CSV = 'text/csv';
export const NDJSON = 'application/x-ndjson';

export async function importInto(
  api: Pick<TestApi, 'app'>,
  body: string | Uint8Array<ArrayBuffer>,
  { query = '', type = CSV, headers = {} as Record<string, string> } = {},
): Promise<Imported> {
  const response = await api.app.request(`/v1/imports?${query}`, {
    method: 'POST',
    headers: { 'Content-Type': type, ...headers },
    body,
  });
  const text = await response.text();
  if (response.status !== 200) {
    return {
      status: response.status,
      lines: [],
      refused: [],
      summary: undefined,
      problem: JSON.parse(text),
    };
  }
  const lines: ImportLine[] = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  return {
    status: response.status,
    lines,
    refused: lines.filter((line) => line.type === 'refused'),
    summary: lines.find((line) => line.type === 'summary'),
    problem: null,
  };
}

/** A CSV file of rows, each a list of cells. */
export function csv(...rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.join(',')}\r\n`).join('');
}
