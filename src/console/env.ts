import type { Hono } from 'hono';

import type { ApiKey, Scope } from '../access/api-key.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { Logger } from '../platform/logger.ts';
import type { ApiClient } from './api-client.ts';
import type { AssetName } from './assets.ts';
import type { Results } from './results.ts';

/** What the console needs from the process that serves it. */
export interface ConsoleDeps {
  /** For its sessions; all else comes from the API. */
  readonly orm: Orm;
  readonly apiKeys: readonly ApiKey[];
  /** Calls the API with the rights of a key; null without configured keys. */
  readonly fetchApi: (request: Request, key: ApiKey | null) => Promise<Response>;
  readonly logger: Logger;
  /** In Temporal's Web UI, before the id of a workflow; null if its address is not known. */
  readonly temporalUi: string | null;
}

/** Who uses the console. */
export interface Visitor {
  /** Null without configured keys. */
  readonly key: ApiKey | null;
  readonly csrf: string;
  readonly may: (scope: Scope) => boolean;
}

export type ConsoleEnv = {
  Variables: {
    requestId: string;
    assetUrl: (name: AssetName) => string;
    /** Set on every page but the sign-in. */
    visitor: Visitor;
    /** The name of the key, for the log. */
    keyName?: string;
  };
};

export type ConsoleApp = Hono<ConsoleEnv>;

/** What pages are registered with. */
export interface PageDeps extends ConsoleDeps {
  readonly api: ApiClient;
  readonly results: Results;
}
