/**
 * What a migration's SQL does that the code of before may not survive. Only what is known to be
 * harmless passes: tables, columns and indexes that are new, and that nobody has to fill.
 */

/** Returns each statement, or part of one, that removes something or requires more. */
export function findContractions(sql: string): string[] {
  const statements = statementsOf(withoutComments(sql));
  const created = new Set(
    statements.flatMap((statement) => CREATE_TABLE.exec(statement)?.slice(1, 2) ?? []),
  );
  return statements.flatMap((statement) => contractionsIn(statement, created));
}

const CREATE_TABLE = /^create table (?:if not exists )?([\w."]+)/i;
const CREATE_INDEX =
  /^create (?<unique>unique )?index (?:concurrently )?(?:if not exists )?(?:\w+ )?on (?:only )?(?<table>[\w."]+)/i;
const ALTER_TABLE = /^alter table (?:if exists )?(?:only )?(?<table>[\w."]+) (?<actions>[\s\S]+)$/i;
const HARMLESS =
  /^(create (table|schema|sequence|type|function|view)|comment on|insert into|update)\b/i;
const ADD_CONSTRAINT = /^add (constraint|unique|primary|check|foreign|exclude)\b/i;
const FILLED_BY_ITSELF = /\b(default|generated)\b/i;

function contractionsIn(statement: string, created: ReadonlySet<string>): string[] {
  const index = CREATE_INDEX.exec(statement)?.groups;
  if (index !== undefined) {
    const isLoose = index['unique'] === undefined || created.has(index['table'] ?? '');
    return isLoose ? [] : [statement];
  }
  const alter = ALTER_TABLE.exec(statement)?.groups;
  if (alter === undefined) return HARMLESS.test(statement) ? [] : [statement];
  if (created.has(alter['table'] ?? '')) return [];
  return splitOutside(alter['actions'] ?? '', ',').filter((action) => !isHarmless(action));
}

/** For an action of `alter table`: a new column that may stay empty, or that the database fills. */
function isHarmless(action: string): boolean {
  if (!/^add\b/i.test(action) || ADD_CONSTRAINT.test(action)) return false;
  if (/\b(unique|primary key)\b/i.test(action)) return false;
  return !/\bnot null\b/i.test(action) || FILLED_BY_ITSELF.test(action);
}

function statementsOf(sql: string): string[] {
  return splitOutside(sql, ';').map((statement) => statement.replaceAll(/\s+/g, ' '));
}

function withoutComments(sql: string): string {
  return sql.replaceAll(/--[^\n]*|\/\*[\s\S]*?\*\//g, ' ');
}

/** The text between separators, except in quotes, dollar quotes and parentheses. */
function splitOutside(text: string, separator: ',' | ';'): string[] {
  const parts = [''];
  let depth = 0;
  for (const [token] of text.matchAll(/'(?:[^']|'')*'|(\$\w*\$)[\s\S]*?\1|[\s\S]/g)) {
    if (token === '(') depth += 1;
    if (token === ')') depth -= 1;
    if (token === separator && depth === 0) parts.push('');
    else parts.push(`${parts.pop() ?? ''}${token}`);
  }
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}
