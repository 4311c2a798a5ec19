/** What the whole run shares: started once, before the first test file. */
import type { TestProject } from 'vitest/node';

import { connectOrm, migrate } from '../../src/persistence/orm.ts';
import { startPostgresServer } from './postgres-server.ts';
import { runSql, withDatabase } from './postgres.ts';
import { offerToRun } from './run-offer.ts';

declare module 'vitest' {
  interface ProvidedContext {
    postgresAdminUrl: string;
    postgresTemplate: string;
    runOfferUrl: string;
  }
}

const TEMPLATE = 'daybell_template';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const postgres = await startPostgresServer();
  const { adminUrl } = postgres;
  await runSql(adminUrl, `create database ${TEMPLATE}`);
  const orm = await connectOrm(withDatabase(adminUrl, TEMPLATE));
  await migrate(orm);
  await orm.close(true);

  project.provide('postgresAdminUrl', adminUrl);
  project.provide('postgresTemplate', TEMPLATE);

  const offer = await offerToRun();
  project.provide('runOfferUrl', offer.url);

  return async () => {
    await offer.withdraw();
    await postgres.stop();
  };
}
