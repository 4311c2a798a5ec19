/**
 * `npm run webhook:test -- [destination]`: sends a signed test event and shows what came back. With
 * the destination's URL set (WEBHOOK_URL, without a name), from here; otherwise the Daybell that
 * runs at HOST and PORT sends it to its own destination, with API_KEY if it has keys. Exit code 0
 * when it was delivered, 1 when not, 69 when no Daybell answers, 78 for settings.
 */
import type { z } from 'zod';

import { WebhookTestSchema } from '../api/routes/webhook-test.ts';
import { EXIT, runCommand } from './command.ts';
import { withTester } from './webhook-destination.ts';

type Report = z.output<typeof WebhookTestSchema>;

await runCommand(async () => {
  const report = await withTester<Report>({
    path: '/v1/webhook/test',
    schema: WebhookTestSchema,
    async here(tester) {
      const { sentAt, ...report } = await tester.send();
      return { ...report, sentAt: new Date(sentAt).toISOString() };
    },
  });
  process.stdout.write(inWords(report));
  return report.verdict === 'delivered' ? 0 : EXIT.failed;
});

function inWords(report: Report): string {
  const { status, errorCode, signatures } = report;
  const rows = [
    ['sent', `${report.webhookId} at ${report.sentAt}`],
    ['signed', signatures === 1 ? 'with 1 secret' : `with ${signatures} secrets`],
    ['came back', status === null ? `nothing (${errorCode})` : `status ${status}`],
    ['after', `${report.durationMs} ms`],
    ...(report.responseExcerpt === null ? [] : [['response', report.responseExcerpt]]),
    ['verdict', report.verdict],
  ];
  return [
    ...rows.map(([name, value]) => `  ${name?.padEnd(11)}${value}`),
    '',
    report.explanation,
    '',
  ].join('\n');
}
