/** Requests that the pages send with curl, and that a generated client must be able to send. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** The API's description, of which clients are generated. */
export const DESCRIPTION = join(ROOT, 'docs/openapi.json');

/** The user of the README and the occasion of docs/api.md, as JSON. */
export async function readExamples() {
  const [readme, api] = await Promise.all(
    ['README.md', 'docs/api.md'].map((page) => readFile(join(ROOT, page), 'utf8')),
  );
  return { user: bodyIn(readme, '"firstName"'), occasion: bodyIn(api, '"type"') };
}

/** The first body that begins with a field. The day that the shell inserts is replaced by another. */
function bodyIn(page = '', field: string): string {
  for (const [, body = ''] of page.matchAll(/-d '(\{\n[\s\S]*?\n\})'\n/g)) {
    if (!body.replace(/^\{\s*/, '').startsWith(field)) continue;
    return JSON.stringify(JSON.parse(body.replaceAll(/'\$\(date[^)]*\)'/g, '05-20')));
  }
  throw new Error(`no page has curl send ${field}`);
}
