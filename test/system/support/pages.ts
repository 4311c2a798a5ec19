/** The configurations and commands of docs/production.md and docs/deployment.md, unchanged. */
import { readFileSync } from 'node:fs';

export type Page = 'deployment' | 'production';

/** What differs here from a page, by the text to be replaced. */
export type Places = Readonly<Record<string, string>>;

/** The first block of a language under a heading, of any level. */
export function blockOf(page: Page, heading: string, language: string, has = ''): string {
  const text = readFileSync(`docs/${page}.md`, 'utf8');
  const [, section = ''] = text.split(new RegExp(`^##+ ${heading}\n`, 'm'));
  const [own = ''] = section.split(/^##+ /m);
  const blocks = [...own.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'gm'))];
  const block = blocks.map(([, content = '']) => content).find((content) => content.includes(has));
  if (block === undefined) throw new Error(`docs/${page}.md has no ${language} under ${heading}`);
  return block;
}

/** @throws Error if the text lacks what must be replaced, because the page has changed */
export function withPlaces(text: string, places: Places): string {
  let here = text;
  for (const [there, place] of Object.entries(places)) {
    if (!here.includes(there)) throw new Error(`there is no ${there} in: ${text}`);
    here = here.replaceAll(there, place);
  }
  return here;
}

/** The cells of a table's row, by the first of them. */
export function rowOf(page: Page, first: string): string[] {
  const text = readFileSync(`docs/${page}.md`, 'utf8');
  const rows = [...text.matchAll(/^\| (.*) \|$/gm)].map(([, row = '']) => row.split(/ +\| +/));
  const row = rows.find(([cell]) => cell === first);
  if (row === undefined) throw new Error(`docs/${page}.md has no row ${first}`);
  return row.map((cell) => cell.trim());
}
