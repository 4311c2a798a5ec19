/** The stylesheet and the script, under addresses that change with their content. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { createMiddleware } from 'hono/factory';

import type { ConsoleEnv } from './env.ts';

const TYPES = { 'console.css': 'text/css', 'console.js': 'text/javascript' } as const;

export type AssetName = keyof typeof TYPES;

/** Read once: `url` is what a page links to, `serve` answers `/assets/:name`. */
export function loadAssets() {
  const assets = new Map<string, { content: string; type: string; version: string }>();
  for (const [name, type] of Object.entries(TYPES)) {
    const content = readFileSync(new URL(`assets/${name}`, import.meta.url), 'utf8');
    const version = createHash('sha256').update(content).digest('base64url').slice(0, 12);
    assets.set(name, { content, type: `${type}; charset=utf-8`, version });
  }
  return {
    url: (name: AssetName): string => `/console/assets/${name}?v=${assets.get(name)?.version}`,

    serve: createMiddleware<ConsoleEnv>(async (c, next): Promise<Response | void> => {
      const asset = assets.get(c.req.param('name') ?? '');
      if (asset === undefined) return next();
      const isCurrent = c.req.query('v') === asset.version;
      return c.body(asset.content, 200, {
        'Content-Type': asset.type,
        'Cache-Control': isCurrent ? 'public, max-age=31536000, immutable' : 'no-cache',
      });
    }),
  };
}
