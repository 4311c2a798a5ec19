/**
 * /docs: Scalar's page of /openapi.json, where requests can be tried. Loads nothing from other
 * hosts.
 */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

import { Hono } from 'hono';
import { html } from 'hono/html';
import { secureHeaders } from 'hono/secure-headers';

import type { ApiEnv } from './deps.ts';

/** Scalar sets styles at run time, which no nonce can cover: only styles may be inline (ADR 19). */
const contentSecurityPolicy = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'", "'unsafe-inline'"],
  imgSrc: ["'self'", 'data:'],
  connectSrc: ["'self'"],
  frameAncestors: ["'none'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
};

/**
 * Without what would contact Scalar's own servers: fonts, telemetry, a hosted client, an assistant.
 */
const CONFIGURATION = JSON.stringify({
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  showDeveloperTools: 'never',
  agent: { disabled: true },
  mcp: { disabled: true },
});

const A_DAY_S = 86_400;

/** To be mounted at `/docs`. */
export function createReference(): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  let script: ReturnType<typeof loadScript> | undefined;
  app.use(secureHeaders({ contentSecurityPolicy, strictTransportSecurity: false }));
  app.get('/', (c) =>
    c.html(
      html`<!doctype html>
        <html lang="en">
          <head>
            <meta charset="utf-8" />
            <meta name="viewport" content="width=device-width, initial-scale=1" />
            <title>Daybell API</title>
            <link rel="icon" href="data:," />
          </head>
          <body>
            <noscript>
              This page needs JavaScript; <a href="/openapi.json">/openapi.json</a> does not.
            </noscript>
            <script
              id="api-reference"
              data-url="/openapi.json"
              data-configuration="${CONFIGURATION}"
            ></script>
            <script src="/docs/scalar.js"></script>
          </body>
        </html>`,
    ),
  );
  app.get('/scalar.js', async (c) => {
    const { plain, compressed, etag } = await (script ??= loadScript());
    c.header('Cache-Control', `public, max-age=${A_DAY_S}`);
    c.header('Vary', 'Accept-Encoding');
    c.header('ETag', etag);
    if (c.req.header('If-None-Match')?.includes(etag)) return c.body(null, 304);
    c.header('Content-Type', 'text/javascript; charset=utf-8');
    if (!/\bgzip\b/.test(c.req.header('Accept-Encoding') ?? '')) return c.body(plain);
    c.header('Content-Encoding', 'gzip');
    return c.body(compressed);
  });
  return app;
}

/** Compressed once: anyone may request it, and compressing takes a tenth of a second of CPU. */
async function loadScript() {
  const plain = await loadBundle();
  const compressed = new Uint8Array(await promisify(gzip)(plain));
  // Weak: the same for both codings.
  const etag = `W/"${createHash('sha256').update(plain).digest('base64url').slice(0, 12)}"`;
  return { plain, compressed, etag };
}

/** The part of Fastify that Scalar's plugin for it calls. */
type Plugin = (
  fastify: { readonly route: (route: Route) => void; readonly initialConfig: object },
  options: { readonly configuration: { readonly url: string } },
  done: () => void,
) => void;

interface Route {
  readonly url: string;
  readonly handler: (request: undefined, reply: Reply) => unknown;
}

interface Reply {
  header(): Reply;
  send(body: string): void;
}

/**
 * Scalar's bundle for browsers, 5 MB. Its plugin for Fastify brings it with a dozen packages;
 * `@scalar/api-reference`, from which it is built, with almost three hundred.
 */
async function loadBundle(): Promise<string> {
  const { default: plugin }: { default: Plugin } = await import('@scalar/fastify-api-reference');
  return new Promise((resolve, reject) => {
    const reply: Reply = { header: () => reply, send: resolve };
    const route = ({ url, handler }: Route): void => {
      if (url.endsWith('.js')) handler(undefined, reply);
    };
    plugin({ route, initialConfig: {} }, { configuration: { url: '/openapi.json' } }, () =>
      reject(new Error("Scalar's plugin has no bundle.")),
    );
  });
}
