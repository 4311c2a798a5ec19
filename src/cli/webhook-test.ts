/**
 * `npm run webhook:test`: sends a signed test event and shows what came back. With WEBHOOK_URL set,
 * from here; otherwise the Daybell that runs at HOST and PORT sends it to its own destination, with
 * API_KEY if it has keys. Exit code 0 when it was delivered.
 */
import { z } from 'zod';

import { loadSettings, requireSettings, type Settings } from '../platform/settings/settings.ts';
import { openWebhookTester, type WebhookTestReport } from '../delivery/webhook-test.ts';
import { askRunningApi, CommandError, EXIT, runCommand } from './command.ts';

const reportSchema = z.object({
  webhookId: z.string(),
  sentAt: z.iso.datetime().transform((text) => Date.parse(text)),
  durationMs: z.number(),
  status: z.number().nullable(),
  errorCode: z.string().nullable(),
  verdict: z.enum(['delivered', 'retry', 'give_up', 'gone']),
  explanation: z.string(),
  responseExcerpt: z.string().nullable(),
  signatures: z.number(),
});

await runCommand(async () => {
  const settings = loadSettings();
  const report =
    settings.WEBHOOK_URL === undefined ? await askApi(settings) : await sendOne(settings);
  process.stdout.write(inWords(report));
  return report.verdict === 'delivered' ? 0 : EXIT.failed;
});

async function sendOne(settings: Settings): Promise<WebhookTestReport> {
  const tester = openWebhookTester(
    requireSettings(settings, 'WEBHOOK_URL', 'WEBHOOK_SECRETS'),
    Date.now,
  );
  const report = await tester.send();
  tester.close();
  return report;
}

async function askApi(settings: Settings): Promise<WebhookTestReport> {
  const instead = 'WEBHOOK_URL and WEBHOOK_SECRETS to test a receiver from here';
  const request = { method: 'POST', instead };
  try {
    return reportSchema.parse(await askRunningApi(settings, '/v1/webhook/test', request));
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new CommandError(error.message, EXIT.failed, { cause: error });
  }
}

function inWords(report: WebhookTestReport): string {
  const { status, errorCode, signatures } = report;
  const rows = [
    ['sent', `${report.webhookId} at ${new Date(report.sentAt).toISOString()}`],
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
