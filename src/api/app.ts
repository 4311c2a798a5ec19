import { OpenAPIHono } from '@hono/zod-openapi';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { requestId } from 'hono/request-id';
import { secureHeaders } from 'hono/secure-headers';

import type { ApiKey } from '../access/api-key.ts';
import { createConsole } from '../console/app.ts';
import { type AccessTable, readAccess, requireAccess } from './access.ts';
import { limitBody, requireBodyOfChange, requirePlainUtf8 } from './body.ts';
import type { Api, ApiDeps, ApiEnv } from './deps.ts';
import { contentSecurityPolicy, registerOpenApi } from './openapi.ts';
import { type ChangeTable, logOperations, readChanges } from './operator-log.ts';
import { answerErrors } from './errors.ts';
import { refuseInvalid, sendProblem } from './problem.ts';
import { createReference } from './reference.ts';
import { recordRequests, traceRequests } from './requests.ts';
import { registerAudit } from './routes/audit.ts';
import { registerDeliveries } from './routes/deliveries.ts';
import { registerExport } from './routes/export.ts';
import { registerFailures } from './routes/failures.ts';
import { registerForecast } from './routes/forecast.ts';
import { registerHealth } from './routes/health.ts';
import { registerHistory } from './routes/history.ts';
import { registerOccasionTypes } from './routes/occasion-types.ts';
import { registerOccasions } from './routes/occasions.ts';
import { registerImports } from './routes/imports.ts';
import { registerOccurrences } from './routes/occurrences.ts';
import { registerOperatorLog } from './routes/operator-log.ts';
import { registerPreview } from './routes/preview.ts';
import { registerRedelivery } from './routes/redelivery.ts';
import { registerRetry } from './routes/retry.ts';
import { registerStatus } from './routes/status.ts';
import { registerUsers } from './routes/users.ts';
import { registerWebhookCheck } from './routes/webhook-check.ts';
import { registerWebhookTest } from './routes/webhook-test.ts';
import { registerWebhooks } from './webhooks.ts';

/** The HTTP API without a socket. */
export function createApp(deps: ApiDeps): Api {
  const app: Api = new OpenAPIHono<ApiEnv>({ defaultHook: refuseInvalid });
  const fetchApi = async (request: Request, key: ApiKey | null): Promise<Response> =>
    app.fetch(request, { console: { key } });

  app.use(requestId());
  app.use(recordRequests(deps));
  app.route('/console', createConsole({ ...deps, fetchApi }));
  app.route('/docs', createReference());
  // Strict-Transport-Security is up to whatever terminates TLS.
  app.use(secureHeaders({ contentSecurityPolicy, strictTransportSecurity: false }));
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) => {
        const allowed = methods.join(', ');
        return sendProblem(c, {
          status: 405,
          code: 'method-not-allowed',
          title: 'Method not allowed',
          detail: `Allowed here: ${allowed}.`,
          headers: { Allow: allowed },
        });
      },
    }),
  );
  let access: AccessTable = new Map();
  app.use(requireAccess(() => access, deps));
  // Not probes and scrapes: there are many of them, and they cause nothing worth tracing.
  if (deps.tracing !== null) app.use('/v1/*', traceRequests(deps.tracing, deps));
  let changes: ChangeTable = new Map();
  app.use(
    '/v1/*',
    logOperations(() => changes, deps),
  );
  // Before the limit: files are read as a stream, and are never in memory as a whole.
  registerImports(app, deps);
  app.use(limitBody);
  app.use(requirePlainUtf8);
  app.use(requireBodyOfChange);

  registerUsers(app, deps);
  registerHistory(app, deps);
  registerOccasions(app, deps);
  registerExport(app, deps);
  // Before the occurrences, whose keys take the same place in a path.
  registerFailures(app, deps);
  registerOccurrences(app, deps);
  registerPreview(app, deps);
  registerRedelivery(app, deps);
  registerRetry(app, deps);
  registerOccasionTypes(app, deps);
  registerDeliveries(app, deps);
  registerWebhookTest(app, deps);
  registerWebhookCheck(app, deps);
  registerOperatorLog(app, deps);
  registerAudit(app, deps);
  registerForecast(app, deps);
  registerStatus(app, deps);
  registerHealth(app, deps);
  registerWebhooks(app);
  registerOpenApi(app);
  access = readAccess(app);
  changes = readChanges(app);

  app.notFound((c) =>
    sendProblem(c, { status: 404, code: 'route-not-found', title: 'No such path' }),
  );
  app.onError(answerErrors(deps));
  return app;
}
