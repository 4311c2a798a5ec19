/**
 * `npm run webhook:check -- [destination]`: sends good and bad events to a receiver, and reports
 * how it handled each and what to change. Sends from here, or asks a running Daybell, as
 * `webhook:test` does. Exit code 0 if all was right, 1 if not, 69 when no Daybell answers, 78 for
 * settings.
 */
import type { z } from 'zod';

import { checkBody, WebhookCheckSchema } from '../api/routes/webhook-check.ts';
import { EXIT, runCommand } from './command.ts';
import { withTester } from './webhook-destination.ts';

type Report = z.output<typeof WebhookCheckSchema>;

await runCommand(async () => {
  const report = await withTester<Report>({
    path: '/v1/webhook/check',
    schema: WebhookCheckSchema,
    here: async (tester) => checkBody(await tester.check()),
  });
  process.stdout.write(inWords(report));
  return report.passed ? 0 : EXIT.failed;
});

function inWords({ passed, steps, deduplicated, connection, advice }: Report): string {
  const { tlsVersion, keptAlive } = connection;
  const lines = steps.map(({ sent, right, explanation, durationMs }) => {
    const mark = right === null ? '?' : right ? 'right' : 'WRONG';
    const took = durationMs === null ? '' : ` ${durationMs} ms.`;
    return `  ${mark.padEnd(7)}${sent}: ${explanation}${took}`;
  });
  const kept = keptAlive === null ? 'unknown' : keptAlive ? 'yes' : 'no';
  const recognized = deduplicated === null ? 'not visible from outside' : 'yes';
  return [
    ...lines,
    '',
    `  deduplicated:  ${recognized}`,
    `  TLS:           ${tlsVersion ?? 'none'}`,
    `  keep-alive:    ${kept}`,
    '',
    passed ? 'The receiver handles everything correctly.' : 'The receiver does not pass.',
    ...advice.map((one) => `- ${one}`),
    '',
  ].join('\n');
}
