import { NONCE } from 'hono/secure-headers';

import { API_KEY_SCHEME } from './access.ts';
import type { Api } from './deps.ts';
import { type OpenApiDocument, renderDocs } from './docs-page.ts';

/** /openapi.json, made from the routes, and /docs, made from that. Call it after the routes. */
export function registerOpenApi(app: Api): void {
  const document = describeApi(app);
  app.get('/openapi.json', (c) => c.json(document));
  app.get('/docs', (c) => c.html(renderDocs(document, c.get('secureHeadersNonce') ?? '')));
}

function describeApi(app: Api): OpenApiDocument {
  app.openAPIRegistry.registerComponent('securitySchemes', API_KEY_SCHEME, {
    type: 'http',
    scheme: 'bearer',
    description:
      'A key of API_KEYS; each route names the scope that it takes. An API without keys takes none, and then listens on loopback alone.',
  });
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Daybell',
      version: '1.0.0',
      license: { name: 'MIT', url: 'https://spdx.org/licenses/MIT.html' },
      description:
        'Greets every user at 9:00 on the morning of their birthday, in their own time zone. Every error is a problem of RFC 9457. Unknown fields and parameters are refused.',
    },
    servers: [{ url: '/' }],
    security: [],
    tags: [
      { name: 'Users', description: 'Who people are: names, date of birth, time zone.' },
      { name: 'Occurrences', description: 'When what is due, and what became of it.' },
      { name: 'Deliveries', description: 'All of them together: what waits, pause and resume.' },
      { name: 'Operation', description: 'How the service is.' },
    ],
  });
}

/** What a page may load: nothing but its own style, so that it works offline and stays so. */
export const contentSecurityPolicy = {
  defaultSrc: ["'none'"],
  styleSrc: [NONCE],
  frameAncestors: ["'none'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
};
