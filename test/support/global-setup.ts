/** What the whole run shares: started once, before the first test file. */
import type { TestProject } from 'vitest/node';

import { connectOrm } from '../../src/platform/database/orm.ts';
import { migrate } from '../../src/platform/database/run-migrations.ts';
import { recordRules } from '../../src/planning/rules.ts';
import { startPostgresServer } from './postgres-server.ts';
import { runSql, withDatabase } from './postgres.ts';
import { offerToRun } from './run-offer.ts';
import { bundledTz } from './tz-databases.ts';

declare module 'vitest' {
  interface ProvidedContext {
    postgresAdminUrl: string;
    postgresTemplate: string;
    runOfferUrl: string;
  }
}

const TEMPLATE = 'daybell_template';
const RULES = {
  localTime: '09:00',
  leapDayPolicy: 'feb28',
  tzVersion: bundledTz.version,
} as const;

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const postgres = await startPostgresServer();
  const { adminUrl } = postgres;
  await runSql(adminUrl, `create database ${TEMPLATE}`);
  const orm = await connectOrm(withDatabase(adminUrl, TEMPLATE));
  await migrate(orm, (em) => recordRules(em, RULES));
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
