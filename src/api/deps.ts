import type { OpenAPIHono } from '@hono/zod-openapi';

import type { DateSettings } from '../time/occurrence.ts';
import type { AuditDeps } from '../audit/audit-day.ts';
import type { DeliveryControl } from '../ledger/delivery-control.ts';
import type { ForecastDeps } from '../forecast/forecast.ts';
import type { OccurrenceReader } from '../ledger/occurrence-reader.ts';
import type { Redelivery } from '../ledger/redelivery.ts';
import type { WebhookTester } from '../delivery/webhook-test.ts';
import type { Logger } from '../platform/logger.ts';
import type { MetricsSource } from '../platform/metrics.ts';
import type { ReadinessCheck } from '../platform/service.ts';
import type { Tracing } from '../platform/tracing.ts';
import type { UserDeps } from '../users/user-store.ts';
import type { ApiKey } from '../access/api-key.ts';

/** All that the API works with. Nothing in it needs Temporal. */
export interface ApiDeps extends UserDeps {
  /** Epoch ms. */
  readonly clock: () => number;
  readonly occurrences: OccurrenceReader;
  readonly redelivery: Redelivery;
  /** Those in force, which a preview can replace. */
  readonly dateSettings: () => Promise<DateSettings>;
  readonly deliveries: DeliveryControl;
  readonly audit: AuditDeps;
  readonly forecast: ForecastDeps;
  /** Null when there is no destination. */
  readonly webhookTester: WebhookTester | null;
  readonly readiness: () => Promise<readonly ReadinessCheck[]>;
  /** None: whoever reaches the API may do everything. */
  readonly apiKeys: readonly ApiKey[];
  /** Requests a second of each key, in this process. */
  readonly maxPerSecond: number;
  readonly logger: Logger;
  /** Served at /metrics; not given when they have a port of their own. */
  readonly metrics?: MetricsSource;
  readonly observeRequest?: (request: ObservedRequest) => void;
  /** Null when traces are off. */
  readonly tracing: Tracing | null;
}

/** A request that was answered. */
export interface ObservedRequest {
  readonly method: string;
  /** The route's pattern, such as `/v1/users/:id`. */
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
}

export type ApiEnv = {
  Variables: {
    requestId: string;
    secureHeadersNonce?: string;
    /** Of the key that the request came with, once it is known. */
    keyName?: string;
  };
};
export type Api = OpenAPIHono<ApiEnv>;
