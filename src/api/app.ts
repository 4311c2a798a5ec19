import { OpenAPIHono } from '@hono/zod-openapi';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { requestId } from 'hono/request-id';
import { secureHeaders } from 'hono/secure-headers';

import { type AccessTable, readAccess, requireAccess } from './access.ts';
import { limitBody, requirePlainUtf8 } from './body.ts';
import type { Api, ApiDeps, ApiEnv } from './deps.ts';
import { answerErrors, refuseInvalid } from './errors.ts';
import { contentSecurityPolicy, registerOpenApi } from './openapi.ts';
import { sendProblem } from './problem.ts';
import { requestLog } from './request-log.ts';
import { requestTrace } from './request-trace.ts';
import { registerAudit } from './routes/audit.ts';
import { registerCreateUser } from './routes/create-user.ts';
import { registerDeleteUser } from './routes/delete-user.ts';
import { registerForecast } from './routes/forecast.ts';
import { registerGetDeliveries } from './routes/get-deliveries.ts';
import { registerGetOccurrence } from './routes/get-occurrence.ts';
import { registerGetUser } from './routes/get-user.ts';
import { registerHealth } from './routes/health.ts';
import { registerListOccurrences } from './routes/list-occurrences.ts';
import { registerListUserOccurrences } from './routes/list-user-occurrences.ts';
import { registerListUsers } from './routes/list-users.ts';
import { registerMetrics } from './routes/metrics.ts';
import { registerPauseDeliveries } from './routes/pause-deliveries.ts';
import { registerPreviewOccurrences } from './routes/preview-occurrences.ts';
import { registerRedeliverOccurrence } from './routes/redeliver-occurrence.ts';
import { registerRedeliverOccurrences } from './routes/redeliver-occurrences.ts';
import { registerReplaceUser } from './routes/replace-user.ts';
import { registerResumeDeliveries } from './routes/resume-deliveries.ts';
import { registerTestWebhook } from './routes/test-webhook.ts';
import { registerUpdateUser } from './routes/update-user.ts';

/** The HTTP API without a socket. */
export function createApp(deps: ApiDeps): Api {
  const app: Api = new OpenAPIHono<ApiEnv>({ defaultHook: refuseInvalid });

  app.use(requestId());
  app.use(requestLog(deps));
  // Whether there is TLS is for whoever ends it to say.
  app.use(secureHeaders({ contentSecurityPolicy, strictTransportSecurity: false }));
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) => {
        const detail = `Allowed here: ${methods.join(', ')}.`;
        const title = 'The method is not allowed here';
        const answer = sendProblem(c, { status: 405, code: 'method-not-allowed', title, detail });
        answer.headers.set('Allow', methods.join(', '));
        return answer;
      },
    }),
  );
  let access: AccessTable = new Map();
  app.use(requireAccess(() => access, deps));
  // Without probes and scrapes, which are many and lead to nothing.
  if (deps.tracing !== null) app.use('/v1/*', requestTrace(deps.tracing, deps));
  app.use(limitBody);
  app.use(requirePlainUtf8);

  registerCreateUser(app, deps);
  registerListUsers(app, deps);
  registerGetUser(app, deps);
  registerUpdateUser(app, deps);
  registerReplaceUser(app, deps);
  registerDeleteUser(app, deps);
  registerListUserOccurrences(app, deps);
  registerListOccurrences(app, deps);
  registerGetOccurrence(app, deps);
  registerPreviewOccurrences(app, deps);
  registerGetDeliveries(app, deps);
  registerPauseDeliveries(app, deps);
  registerResumeDeliveries(app, deps);
  registerTestWebhook(app, deps);
  registerRedeliverOccurrence(app, deps);
  registerRedeliverOccurrences(app, deps);
  registerAudit(app, deps);
  registerForecast(app, deps);
  registerHealth(app, deps);
  registerMetrics(app, deps);
  registerOpenApi(app);
  access = readAccess(app);

  app.notFound((c) =>
    sendProblem(c, {
      status: 404,
      code: 'route-not-found',
      title: 'There is nothing at this path',
    }),
  );
  app.onError(answerErrors(deps));
  return app;
}
