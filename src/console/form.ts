/** Fields of forms, with their faults. */
import { html } from 'hono/html';

import type { Html } from './layout.ts';
import type { FormFault } from './page-error.ts';

/** The input, by the names of the fields. */
export type FormValues = Readonly<Record<string, string>>;

export interface FormState {
  readonly values: FormValues;
  readonly faults: readonly FormFault[];
  /** The current values of fields that another user has changed since. */
  readonly now?: FormValues;
}

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly type?: 'text' | 'date' | 'time' | 'number';
  readonly required?: boolean;
  readonly maxlength?: number;
  /** Makes it a select. */
  readonly options?: readonly { readonly value: string; readonly name: string }[];
}

export function field(given: Field, { values, faults, now = {} }: FormState): Html {
  const { name, label, hint, required = false, options } = given;
  const value = values[name] ?? '';
  const rules = faults.filter((fault) => fault.field === name).map(({ rule }) => rule);
  const current = now[name];
  const notes: { readonly id: string; readonly note: Html }[] = [];
  const add = (kind: string, looks: string, words: string) => {
    const id = `${name}-${kind}`;
    notes.push({ id, note: html`<p id="${id}" class="${looks}">${words}</p>` });
  };
  if (hint !== undefined) add('hint', 'hint', hint);
  if (rules.length > 0) add('fault', 'error', `${label} ${rules.join('; ')}`);
  if (current !== undefined && current !== value) {
    add('now', 'warning', `Now: ${current === '' ? 'empty' : current}`);
  }
  const described = html`${
    notes.length > 0 ? html`aria-describedby="${notes.map(({ id }) => id).join(' ')}"` : ''
  }
  ${rules.length > 0 ? html`aria-invalid="true"` : ''} ${required ? html`required` : ''}`;
  const input =
    options === undefined
      ? html`<input
          id="${name}"
          name="${name}"
          type="${given.type ?? 'text'}"
          value="${value}"
          ${given.maxlength === undefined ? '' : html`maxlength="${given.maxlength}"`}
          ${described}
        />`
      : html`<select id="${name}" name="${name}" ${described}>
          ${options.map(
            (option) =>
              html`<option value="${option.value}" ${option.value === value ? html`selected` : ''}>
                ${option.name}
              </option>`,
          )}
        </select>`;
  return html`<div>
    <label for="${name}">${label}</label>
    ${input}${notes.map(({ note }) => note)}
  </div>`;
}

/** The faults of fields that are not in the form. */
export function otherFaults({ faults }: FormState, fields: readonly Field[]): Html {
  const names = new Set(fields.map(({ name }) => name));
  const others = faults.filter(({ field }) => !names.has(field));
  if (others.length === 0) return html``;
  return html`<ul class="error">
    ${others.map((fault) => html`<li><b>${fault.field}</b> ${fault.rule}</li>`)}
  </ul>`;
}
