/**
 * `npm run webhook:test`: sends a signed test event and shows what came back. With WEBHOOK_URL set,
 * from here; otherwise the Daybell that runs at HOST and PORT sends it to its own destination, with
 * API_KEY if it has keys. Exit code 0 when it was delivered, 1 when not, 69 when
 * no Daybell answers, 78 for settings.
 */
import type { z } from 'zod';

import { WebhookTestSchema } from '../api/routes/webhook-test.ts';
import { loadSettings, requireSettings, type Settings } from '../platform/settings/settings.ts';
import { openWebhookTester } from '../delivery/webhook-test.ts';
import { askRunningApi, EXIT, runCommand } from './command.ts';

type Report = z.output<typeof WebhookTestSchema>;

await runCommand(async () => {
  const settings = loadSettings();
  const report =
    settings.WEBHOOK_URL === undefined ? await askApi(settings) : await sendOne(settings);
  process.stdout.write(inWords(report));
  return report.verdict === 'delivered' ? 0 : EXIT.failed;
});

async function sendOne(settings: Settings): Promise<Report> {
  const tester = openWebhookTester(
    requireSettings(settings, 'WEBHOOK_URL', 'WEBHOOK_SECRETS'),
    Date.now,
  );
  const { sentAt, ...report } = await tester.send();
  tester.close();
  return { ...report, sentAt: new Date(sentAt).toISOString() };
}

async function askApi(settings: Settings): Promise<Report> {
  const instead = 'WEBHOOK_URL and WEBHOOK_SECRETS to test a receiver from here';
  const request = { method: 'POST', instead };
  return WebhookTestSchema.parse(await askRunningApi(settings, '/v1/webhook/test', request));
}

function inWords(report: Report): string {
  const { status, errorCode, signatures } = report;
  const rows = [
    ['sent', `${report.webhookId} at ${report.sentAt}`],
    ['signed', signatures === 1 ? 'with 1 secret' : `with ${signatures} secrets`],
    ['came back', status === null ? `nothing (${errorCode})` : `status ${status}`],
    ['after', `${report.durationMs} ms`],
    ...(report.responseExcerpt === null ? [] : [['it said', report.responseExcerpt]]),
    ['verdict', report.verdict],
  ];
  return [
    ...rows.map(([name, value]) => `  ${name?.padEnd(11)}${value}`),
    '',
    report.explanation,
    '',
  ].join('\n');
}
