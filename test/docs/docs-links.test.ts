/** Every link from a page of the project to another, or to a part of one, has a target. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { expect, test } from 'vitest';

const PAGES = globSync(['*.md', 'bench/*.md', 'docs/**/*.md', 'deploy/**/*.md']);

test('links between the pages of the docs have a target', () => {
  const links = PAGES.flatMap((page) =>
    [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, to = '']) => ({ page, to })),
  ).filter(({ to }) => !/^[a-z]+:/.test(to));
  expect(links.length).toBeGreaterThan(100);
  expect(links.filter(({ page, to }) => !leadsSomewhere(page, to))).toEqual([]);
});

function leadsSomewhere(page: string, to: string): boolean {
  const [path = '', anchor] = to.split('#');
  const target = path === '' ? page : join(dirname(page), path);
  return existsSync(target) && (anchor === undefined || anchorsOf(target).has(anchor));
}

/** As GitHub generates them from headings. */
function anchorsOf(page: string): Set<string> {
  const headings = [...textOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(/\s/g, '-'),
    ),
  );
}

/** Without programs, in which brackets mean something else, and `#` is no heading. */
function textOf(page: string): string {
  return readFileSync(page, 'utf8').replaceAll(/^```.*?^```/gms, '');
}
