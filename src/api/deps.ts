import type { OpenAPIHono } from '@hono/zod-openapi';

import type { ApiKey } from '../access/api-key.ts';
import type { AuditDeps } from '../audit/audit-day.ts';
import type { AuditedDay } from '../audit/watch.ts';
import type { WebhookTester } from '../delivery/webhook-test.ts';
import type { DateSettings } from '../time/occurrence.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import type { ForecastDeps } from '../forecast/forecast.ts';
import type { DeliveryControl } from '../ledger/delivery-control.ts';
import type { OccurrenceReader } from '../ledger/occurrence-reader.ts';
import type { Failures } from '../ledger/failures.ts';
import type { RetryNow } from '../ledger/retry-now.ts';
import type { Redelivery } from '../ledger/redelivery.ts';
import type { OccasionTypes } from '../occasion-types/occasion-types.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { LoggedOperation } from './operator-log.ts';
import type { RequestWatch } from './request-watch.ts';
import type { OperatorLog } from '../operator-log/operator-log.ts';
import type { Logger } from '../platform/logger.ts';
import type { Registry } from '../platform/metrics.ts';
import type { Readiness } from '../platform/probes.ts';
import type { WorkKind } from '../platform/temporal/worker-versions.ts';
import type { Tracing } from '../platform/tracing.ts';
import type { Occasions } from '../users/occasions.ts';
import type { ExportUsers } from '../users/export/export.ts';
import type { Importer } from '../users/import/import.ts';
import type { FindPeople } from '../ledger/people.ts';
import type { FindInputHistory } from '../users/input-history.ts';
import type { Users } from '../users/users.ts';

/** Nothing in it waits for Temporal. */
export interface ApiDeps {
  /** For the sessions of the console. */
  readonly orm: Orm;
  readonly users: Users;
  readonly findInputHistory: FindInputHistory;
  readonly occasions: Occasions;
  readonly importer: Importer;
  readonly exportUsers: ExportUsers;
  readonly occurrences: OccurrenceReader;
  readonly findPeople: FindPeople;
  readonly redelivery: Redelivery;
  readonly retryNow: RetryNow;
  readonly failures: Failures;
  readonly deliveries: DeliveryControl;
  readonly occasionTypes: OccasionTypes;
  readonly operatorLog: OperatorLog;
  readonly audit: AuditDeps;
  /** What the hourly audit of the last days found; null until it has completed once. */
  readonly lastAudit: () => readonly AuditedDay[] | null;
  readonly forecast: ForecastDeps;
  /** For the configured destinations, by name. */
  readonly webhookTesters: ReadonlyMap<string, Pick<WebhookTester, 'send' | 'check'>>;
  /** Of the secrets that sign for each destination, as configured in this process; newest first. */
  readonly secretFingerprints: ReadonlyMap<string, readonly string[]>;
  /** Returns epoch ms. */
  readonly clock: () => number;
  readonly tz: TzDatabase;
  /** The settings in force, of the installation or of an occasion type. */
  readonly dateSettings: () => Promise<(type?: string) => DateSettings>;
  readonly readiness: () => Promise<Readiness>;
  /** Workers that poll Temporal for this kind of task. Rejects while Temporal is down. */
  readonly countPollers: (kind: WorkKind) => Promise<number>;
  /** Empty: anyone who reaches the API may do everything. */
  readonly apiKeys: readonly ApiKey[];
  /** Requests a second of each key, in this process. */
  readonly maxPerSecond: number;
  readonly logger: Logger;
  readonly metrics: Registry;
  /** Watches how quickly requests are answered; if absent, nothing is watched. */
  readonly requests?: Pick<RequestWatch, 'begin'>;
  /** Whether /metrics is a route of the API; not when it has a port of its own. */
  readonly servesMetrics: boolean;
  /** Null when traces are off. */
  readonly tracing: Tracing | null;
  /** In Temporal's Web UI, before the id of a workflow; null if its address is not known. */
  readonly temporalUi: string | null;
}

export type ApiEnv = {
  /** Clients cannot set these. */
  Bindings: {
    /**
     * Set if a console page makes the request, in this process, with the rights of a key or of
     * anyone.
     */
    console?: { readonly key: ApiKey | null };
  };
  Variables: {
    requestId: string;
    /** The name of the request's key, once it is verified. */
    keyName?: string;
    /** Set if the request is recorded in the operator log. */
    operation?: LoggedOperation;
  };
};

export type Api = OpenAPIHono<ApiEnv>;
