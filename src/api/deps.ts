import type { OpenAPIHono } from '@hono/zod-openapi';

import type { DateSettings } from '../domain/rules.ts';
import type { OccurrenceReader } from '../events/occurrence-reader.ts';
import type { Logger } from '../observability/logger.ts';
import type { UserDeps } from '../users/ports.ts';

/** All that the API works with. It never talks to Temporal. */
export interface ApiDeps extends UserDeps {
  readonly occurrences: OccurrenceReader;
  /** Those in force, which a preview can replace. */
  readonly dateSettings: DateSettings;
  readonly readiness: () => Promise<readonly ReadinessCheck[]>;
  readonly logger: Logger;
}

/** Something that the service needs, and whether it is there. */
export interface ReadinessCheck {
  readonly name: string;
  readonly ready: boolean;
  /** In words; without addresses or secrets. */
  readonly detail?: string;
}

export type ApiEnv = { Variables: { requestId: string; secureHeadersNonce?: string } };
export type Api = OpenAPIHono<ApiEnv>;
