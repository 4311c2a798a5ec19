/** Message templates of occasion types: text with placeholders such as `{firstName}`. */
import { lengthFault, textFault } from '../platform/text.ts';

/** The values that a message can contain. */
export interface MessageValues {
  readonly firstName: string;
  /** May be empty. */
  readonly lastName: string;
  /** Null where years do not count. */
  readonly years: number | null;
  /** The day of the occasion, `YYYY-MM-DD`. */
  readonly date: string;
  /** The data of the occasion. */
  readonly data: Readonly<Record<string, unknown>> | null;
}

export type RenderMessage = (values: MessageValues) => string;

export const MESSAGE_MAX = 500;

const NAMES = ['firstName', 'lastName', 'years', 'date'] as const;
type Name = (typeof NAMES)[number];

interface Placeholder {
  readonly path: readonly string[];
  /** Replaces a value that is missing or empty. */
  readonly preset: string;
}

type Part = string | Placeholder;

class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

/** Two braces stand for one in the text; a single one is an error. */
const TOKENS = /\{\{|\}\}|\{[^{}]*\}|[{}]/g;
const DATA = /^data(?:\.[\w-]+)+$/;

/** Returns the rule that a template breaks, in words that follow the field's name, or null. */
export function messageFault(template: string): string | null {
  const fault = lengthFault(template, MESSAGE_MAX) ?? textFault(template);
  if (fault !== null) return fault;
  try {
    parse(template);
    return null;
  } catch (error) {
    if (error instanceof TemplateError) return error.message;
    throw error;
  }
}

/**
 * Compiles a template. A value that is missing or empty is replaced by its default, or else removed
 * together with the space before it.
 *
 * @throws Error if the template has a fault
 */
export function compileMessage(template: string): RenderMessage {
  const parts = parse(template);
  return (values) => {
    let message = '';
    for (const part of parts) {
      const text = typeof part === 'string' ? part : valueOf(part, values);
      message = text === '' ? message.replace(/ $/, '') : message + text;
    }
    return message.trim();
  };
}

function parse(template: string): Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const { 0: token, index } of template.matchAll(TOKENS)) {
    if (index > at) parts.push(template.slice(at, index));
    at = index + token.length;
    if (token === '{{' || token === '}}') parts.push(token.slice(1));
    else if (token.length > 1) parts.push(placeholder(token.slice(1, -1)));
    else throw new TemplateError('must write a brace that is text twice: {{ or }}');
  }
  if (at < template.length) parts.push(template.slice(at));
  return parts;
}

function placeholder(text: string): Placeholder {
  const bar = text.indexOf('|');
  const name = bar === -1 ? text : text.slice(0, bar);
  const preset = bar === -1 ? '' : text.slice(bar + 1);
  if (DATA.test(name)) {
    if (preset !== '') return { path: name.split('.'), preset };
    throw new TemplateError(`must give {${name}} a default, such as {${name}|none}`);
  }
  if (isName(name)) return { path: [name], preset };
  const known = NAMES.map((one) => `{${one}}`).join(', ');
  throw new TemplateError(`must not have {${name}}: known are ${known} and {data.field|default}`);
}

function isName(text: string): text is Name {
  return NAMES.some((name) => name === text);
}

function valueOf({ path, preset }: Placeholder, values: MessageValues): string {
  let value: unknown = values;
  for (const field of path) {
    const isObject = typeof value === 'object' && value !== null;
    value = isObject && Object.hasOwn(value as object, field) ? (value as never)[field] : null;
  }
  const isText =
    typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  const text = isText ? String(value) : '';
  return text === '' ? preset : text;
}
