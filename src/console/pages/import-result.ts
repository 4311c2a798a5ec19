/** The result of an import: progress as it comes, and at the end the numbers and refused rows. */
import { html } from 'hono/html';

import { HOME } from '../access.ts';
import type { ImportLine } from '../api-types.ts';
import type { Html } from '../layout.ts';
import { count, countOf, table } from '../markup.ts';
import type { Upload } from '../upload.ts';
import type { ImportFields } from './import.ts';

type Refused = Extract<ImportLine, { type: 'refused' }>;
type Summary = Extract<ImportLine, { type: 'summary' }>;

/** Between two lines of progress: a large file has some hundreds of them. */
const PROGRESS_EVERY_MS = 1_000;
const REFUSED_SHOWN = 20;
/**
 * The link that downloads the refused rows contains them, so that nothing but the page is kept of
 * the file. Browsers take addresses of two million characters, and base64 makes this a third
 * longer.
 */
const REFUSED_MAX_BYTES = 1_400_000;

export async function* importResult(
  answer: Response,
  fields: ImportFields,
  upload: Pick<Upload, 'drain' | 'fileName'>,
): AsyncGenerator<Html> {
  const refused = createRefusedFile();
  let end: Summary | { readonly message: string } = { message: CUT_OFF };
  let shownAt = performance.now();
  try {
    for await (const line of linesOf(answer)) {
      if (line.type === 'header') refused.begin(line.row);
      else if (line.type === 'refused') refused.add(line);
      else if (line.type !== 'progress') end = line;
      else if (performance.now() - shownAt > PROGRESS_EVERY_MS) {
        shownAt = performance.now();
        yield html`<p class="progress" data-rows="${line.rows}">
          ${countOf(line.rows, 'row')} read, ${count(line.refused)} refused
        </p>`;
      }
    }
  } catch {
    // The API's response broke off, as `end` says.
  }
  await upload.drain();
  yield html`<section id="result" aria-labelledby="outcome">
    <p>${upload.fileName}</p>
    ${'message' in end ? failure(end.message) : summary(end)} ${refused.show(upload.fileName)}
    ${'message' in end || !end.dryRun ? '' : next(fields)}
    <p><a href="${HOME}/import">Another file</a></p>
  </section>`;
}

const CUT_OFF =
  'The answer broke off. What was stored stays, and sending the same file again is safe.';

async function* linesOf(answer: Response): AsyncGenerator<ImportLine> {
  let open = '';
  const texts = answer.body?.pipeThrough(new TextDecoderStream()) ?? [];
  for await (const text of texts) {
    const lines = `${open}${text}`.split('\n');
    open = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line);
  }
}

function failure(message: string): Html {
  return html`<h2 id="outcome">The import has ended early</h2>
    <p class="error" role="alert">${message}</p>`;
}

function summary({ dryRun, rows, users, occasions, refused, ended, sync, ...rest }: Summary): Html {
  return html`<h2 id="outcome">
      ${dryRun ? 'Checked: nothing was stored' : 'Imported'}
      ${refused > 0 ? html`<span class="state bad">(${countOf(refused, 'row')} refused)</span>` : ''}
    </h2>
    ${table({
      label: 'What became of the file',
      caption: `${countOf(rows, 'row')} of the file${dryRun ? ', as an import would have it' : ''}`,
      columns: ['What', { number: 'Created' }, { number: 'Updated' }, { number: 'Unchanged' }],
      rows: [tally('Users', users), tally('Occasions', occasions)],
    })}
    ${ended === 0 ? '' : html`<p>${countOf(ended, 'occasion')} without an occurrence to come.</p>`}
    ${sync === null ? '' : html`<p>${sync.refused ?? deletedOf(sync)}</p>`}
    ${
      rest.ignoredColumns.length === 0
        ? ''
        : html`<p>Columns that were not read: ${rest.ignoredColumns.join(', ')}</p>`
    }
    ${rest.lint.map(
      ({ message, lines }) =>
        html`<p class="warning">
          ${message} ${lines.length === 0 ? '' : `Lines ${lines.join(', ')} …`}
        </p>`,
    )}`;
}

function tally(name: string, { created, updated, unchanged }: Summary['users']): string[] {
  return [name, count(created), count(updated), count(unchanged)];
}

function deletedOf({ deleted, missing }: NonNullable<Summary['sync']>): string {
  return `Deleted ${count(deleted)} of ${countOf(missing, 'user')} who are not in the file.`;
}

/** After a check: offers the same options again; a page cannot choose a file. */
function next(fields: ImportFields): Html {
  const given = Object.entries(fields).filter(([name, value]) => value !== '' && name !== 'mode');
  const query = new URLSearchParams([...given, ['mode', 'import']]);
  return html`<p data-chosen-again>
    <a class="button" href="${HOME}/import?${query}">Import it with these options</a>
  </p>`;
}

function createRefusedFile() {
  let rows: { readonly line: number; readonly row: string }[] = [];
  const shown: Refused[] = [];
  let header = '';
  let bytes = 0;
  let refused = 0;
  return {
    begin(text: string): void {
      header = text;
      bytes = Buffer.byteLength(text);
    },
    add(line: Refused): void {
      refused += 1;
      if (shown.length < REFUSED_SHOWN) shown.push(line);
      const { row = '' } = line;
      bytes += Buffer.byteLength(row);
      if (bytes <= REFUSED_MAX_BYTES) rows.push({ line: line.line, row });
    },
    show(fileName: string): Html {
      if (refused === 0) return html``;
      rows = rows.toSorted((one, other) => one.line - other.line);
      return html`${table({
          label: 'Refused rows',
          caption: `${refused > shown.length ? `The first ${shown.length} of ` : ''}${countOf(refused, 'refused row')}`,
          columns: ['Line', 'Why', 'What the file has there'],
          rows: shown.map(({ line, faults }) => [
            count(line),
            faults.map(({ field, rule }) => `${field} ${rule}`).join('; '),
            faults.flatMap(({ value }) => (value === undefined ? [] : [value])).join('; '),
          ]),
        })}
        <p>
          <a
            download="refused-${fileName}"
            href="data:application/octet-stream;base64,${Buffer.from(
              [header, ...rows.map(({ row }) => row)].join(''),
            ).toString('base64')}"
            >Download ${rows.length < refused ? `the first ${countOf(rows.length, 'row')}` : 'them'}
            with the reasons</a
          >, correct them there, and import that file.
          ${
            rows.length < refused
              ? html`For all of them, use <code>npm run import</code> with <code>--errors</code>.`
              : ''
          }
        </p>`;
    },
  };
}
