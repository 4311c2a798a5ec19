import { API_KEY_SCHEME } from './access.ts';
import type { Api } from './deps.ts';

type OpenApiDocument = ReturnType<Api['getOpenAPI31Document']>;

/** /openapi.json, generated from the routes. Call this after registering them. */
export function registerOpenApi(app: Api): void {
  const document = describeApi(app);
  app.get('/openapi.json', (c) => c.json(document));
}

function describeApi(app: Api): OpenApiDocument {
  app.openAPIRegistry.registerComponent('securitySchemes', API_KEY_SCHEME, {
    type: 'http',
    scheme: 'bearer',
    description:
      'A key from API_KEYS; each route names the scope that it requires. An API without configured keys accepts requests without one, but listens on loopback only.',
  });
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Daybell',
      version: '1.0.0',
      license: { name: 'MIT', url: 'https://spdx.org/licenses/MIT.html' },
      description:
        "Posts a signed webhook at 9:00 on each user's birthday, in the user's own time zone. Errors are problem documents (RFC 9457). Unknown fields and parameters are rejected.",
    },
    servers: [{ url: '/' }],
    security: [],
    tags: [
      { name: 'Users', description: 'Names, dates of birth and time zones.' },
      {
        name: 'Occasions',
        description:
          'What is due for a user besides the birthday: anniversaries, reminders, renewals.',
      },
      { name: 'Occurrences', description: 'What is due when, and what became of it.' },
      {
        name: 'Occasion types',
        description: 'Message, times and destination of each kind of occasion.',
      },
      { name: 'Deliveries', description: 'All deliveries together: state, pause and resume.' },
      { name: 'Webhooks', description: 'What is posted to your receiver.' },
      { name: 'Operation', description: 'Audit, forecast, test event, health and metrics.' },
    ],
  });
}

/** For responses that are not pages. */
export const contentSecurityPolicy = {
  defaultSrc: ["'none'"],
  frameAncestors: ["'none'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
};
