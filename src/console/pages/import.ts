/** Imports users from a file: streamed to the API, first only to be checked, then to be stored. */
import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import { html } from 'hono/html';

import { HOME, requireScope } from '../access.ts';
import type { ConsoleApp, ConsoleEnv, PageDeps, Visitor } from '../env.ts';
import { csrfField, type Html, sendPage, streamPage } from '../layout.ts';
import { type FormFault, PageError } from '../page-error.ts';
import { readUpload } from '../upload.ts';
import { importResult } from './import-result.ts';

const PATH = `${HOME}/import`;

/** The form's fields besides the file: the options of `npm run import`. */
export type ImportFields = Readonly<Partial<Record<(typeof FIELDS)[number], string>>>;
const FIELDS = [
  'mode',
  'format',
  'dateFormat',
  'yearPivot',
  'timezone',
  'encoding',
  'map',
  'sync',
  'maxDeletes',
] as const;

export function registerImport(app: ConsoleApp, { results }: Pick<PageDeps, 'results'>): void {
  app.get('/import', (c) => {
    const visitor = c.get('visitor');
    requireScope(visitor, 'users:write');
    return sendPage(c, { title: 'Import', body: form(visitor, fieldsOf(c.req.query())) });
  });
  app.get('/import/results/:id', (c) => results.send(c, c.req.param('id')));
}

/** Passes a file on to the API, and shows the progress as it comes. */
export function receiveImport({ api, results }: Pick<PageDeps, 'api' | 'results'>) {
  return createMiddleware<ConsoleEnv>(async (c) => {
    const visitor = c.get('visitor');
    // Checked here too, not only in the API, so that a file that will be refused is not read.
    requireScope(visitor, 'users:write');
    const upload = await readUpload(c);
    const fields = fieldsOf(Object.fromEntries(upload.fields));
    try {
      const file = { content: upload.file, type: contentTypeOf(upload.fileName, fields) };
      const answer = await api.stream(c, 'POST', `/v1/imports?${queryOf(fields)}`, { file });
      const title = titleOf(fields);
      const parts = importResult(answer, fields, upload);
      return await streamPage(c, { title, body: html`` }, thenResultPage(c, title, parts));
    } catch (error) {
      await upload.drain();
      if (!(error instanceof PageError) || error.status !== 400) throw error;
      return sendPage(c, {
        title: 'Import',
        status: 400,
        body: html`<section id="result">${refusal(error)}</section>
          ${form(visitor, fields)}`,
      });
    }
  });

  /**
   * Leads from the response to the form, which would send the file again if it were reloaded, to a
   * page with the last part alone. A redirect would come too late: progress has been shown by then.
   */
  async function* thenResultPage(
    c: Context<ConsoleEnv>,
    title: string,
    parts: AsyncIterable<Html>,
  ): AsyncGenerator<Html> {
    let body = html``;
    for await (const part of parts) {
      body = part;
      yield part;
    }
    // The script shows the result below the form, where the file stays chosen.
    if (c.req.header('Sec-Fetch-Dest') === 'empty') return;
    // If it cannot be kept, the response itself stays.
    const id = await results.keep(c, { title, body }).catch(() => null);
    if (id === null) return;
    yield html`<meta http-equiv="refresh" content="0; url=${PATH}/results/${id}" />`;
  }
}

function titleOf({ mode }: ImportFields): string {
  return mode === 'import' ? 'Import' : 'Import: check only';
}

function fieldsOf(values: Readonly<Record<string, string>>): ImportFields {
  return Object.fromEntries(FIELDS.map((name) => [name, values[name]?.trim() ?? '']));
}

/** Like the command: by the extension of the file's name, unless one is chosen. */
function contentTypeOf(fileName: string, { format, encoding }: ImportFields): string {
  const isLines =
    format === 'ndjson' || (format !== 'csv' && /\.(?:ndjson|jsonl)$/i.test(fileName));
  const type = isLines ? 'application/x-ndjson' : 'text/csv';
  // Input must not be able to inject another header.
  return encoding ? `${type}; charset=${encoding.replaceAll(/[^\w.:-]/g, '')}` : type;
}

function queryOf(fields: ImportFields): URLSearchParams {
  const query = new URLSearchParams({ rows: 'true' });
  if (fields.mode !== 'import') query.set('dryRun', 'true');
  if (fields.sync) query.set('sync', 'true');
  for (const name of ['dateFormat', 'yearPivot', 'timezone', 'maxDeletes'] as const) {
    if (fields[name]) query.set(name, fields[name]);
  }
  const lines = (fields.map ?? '').split(/\r?\n/).map((line) => line.trim());
  for (const line of lines) if (line !== '') query.append('map', line);
  return query;
}

function refusal({ message, faults }: PageError): Html {
  return html`<h2>${message}</h2>
    <p>Nothing was imported. Choose the file again.</p>
    <ul class="error" role="alert">
      ${faults.map(({ field, rule }: FormFault) => html`<li><b>${field}</b> ${rule}</li>`)}
    </ul>`;
}

const checked = (is: boolean): Html => (is ? html`checked` : html``);

function form(visitor: Visitor, fields: ImportFields): Html {
  const isImport = fields.mode === 'import';
  const input = (name: keyof ImportFields, label: string, hint: string) =>
    html`<label for="${name}">${label}</label>
      <input
        id="${name}"
        name="${name}"
        value="${fields[name] ?? ''}"
        aria-describedby="${name}-hint"
      />
      <p id="${name}-hint" class="hint">${hint}</p>`;
  const option = (value: string, name: string) =>
    html`<option value="${value}" ${fields.format === value ? html`selected` : ''}>
      ${name}
    </option>`;
  // The file comes last: its options must be known before it arrives.
  return html`<form
      method="post"
      action="${PATH}"
      enctype="multipart/form-data"
      class="narrow"
      data-upload
    >
      ${csrfField(visitor)}
      <fieldset>
        <legend>What to do</legend>
        <label class="check">
          <input type="radio" name="mode" value="check" ${checked(!isImport)} />
          Check only: everything is read, nothing is stored
        </label>
        <label class="check">
          <input type="radio" name="mode" value="import" ${checked(isImport)} />
          Import: create and update users and occasions
        </label>
      </fieldset>
      <label for="format">Kind of file</label>
      <select id="format" name="format">
        ${option('', 'By the end of its name')} ${option('csv', 'CSV')}
        ${option('ndjson', 'NDJSON: a JSON object a line')}
      </select>
      ${input('dateFormat', 'How dates are written', 'Such as DD.MM.YYYY; if empty, YYYY-MM-DD.')}
      ${input('yearPivot', 'Last year of this century', 'Only with years of two digits, such as 26.')}
      ${input('timezone', 'Time zone', 'For users without one in the file, such as Europe/Berlin.')}
      ${input('encoding', 'Encoding', 'Such as windows-1252; if empty, UTF-8.')}
      <label for="map">Columns</label>
      <textarea id="map" name="map" rows="3" aria-describedby="map-hint">
${fields.map ?? ''}</textarea>
      <p id="map-hint" class="hint">
        Where a column's name does not say what it holds: COLUMN=FIELD, one a line, such as
        Geburtstag=dateOfBirth.
      </p>
      <details ${fields.sync ? html`open` : ''}>
        <summary>Delete users who are not in the file</summary>
        <label class="check">
          <input type="checkbox" name="sync" value="true" ${checked(Boolean(fields.sync))} />
          The file has all users: delete the others, unless they are more than a tenth of all
        </label>
        ${input('maxDeletes', 'How many may be deleted', 'Instead of a tenth of all.')}
      </details>
      <label for="file">File</label>
      <input id="file" name="file" type="file" required aria-describedby="file-hint" />
      <p id="file-hint" class="hint">
        Of any size; choose it, or drop it here. Users whose externalId is known are updated.
      </p>
      <button>Send</button>
      <progress hidden max="1" value="0" aria-label="How much of the file was sent"></progress>
      <p class="hint" role="status"></p>
    </form>
    <div data-result></div>`;
}
