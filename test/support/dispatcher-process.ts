import { runProcess, type TestProcess } from './process.ts';
import { untilTestEnds } from './until-test-ends.ts';

/**
 * The process `dispatcher`, ready: the database and the receiver are all it needs. Killed when
 * the test is over.
 */
export async function startDispatcherProcess(
  databaseUrl: string,
  webhookUrl: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<TestProcess> {
  const given = {
    DATABASE_URL: databaseUrl,
    WEBHOOK_URL: webhookUrl,
    WEBHOOK_SECRETS: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    ...settings,
  };
  const started = untilTestEnds(runProcess('src/delivery/main.ts', given));
  await started.line(/"ready"/);
  return started;
}
