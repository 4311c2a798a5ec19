/**
 * `npm run webhook:test -- [destination]`: sends a signed test event and shows what came back. With
 * the destination's URL set (WEBHOOK_URL, without a name), from here; otherwise the Daybell that runs at HOST and PORT sends it to its own destination, with
 * API_KEY if it has keys. Exit code 0 when it was delivered, 1 when not, 69 when
 * no Daybell answers, 78 for settings.
 */
import type { z } from 'zod';

import { WebhookTestSchema } from '../api/routes/webhook-test.ts';
import type { DestinationSettings } from '../delivery/wire/webhook-client.ts';
import { DEFAULT_DESTINATION } from '../platform/destination.ts';
import { urlSettingOf } from '../platform/settings/destinations.ts';
import { loadSettings, requireSettings, type Settings } from '../platform/settings/settings.ts';
import { openWebhookTester } from '../delivery/webhook-test.ts';
import { askRunningApi, EXIT, runCommand } from './command.ts';

type Report = z.output<typeof WebhookTestSchema>;

await runCommand(async () => {
  const [destination = DEFAULT_DESTINATION] = process.argv.slice(2);
  const settings = loadSettings();
  const own =
    destination === DEFAULT_DESTINATION
      ? settings
      : { ...settings, WEBHOOK_URL: undefined, ...settings.DESTINATIONS.get(destination) };
  const report =
    own.WEBHOOK_URL === undefined
      ? await askApi(settings, destination)
      : await sendOne(requireSettings(own, 'WEBHOOK_URL', 'WEBHOOK_SECRETS'), destination);
  process.stdout.write(inWords(report));
  return report.verdict === 'delivered' ? 0 : EXIT.failed;
});

async function sendOne(settings: DestinationSettings, destination: string): Promise<Report> {
  const tester = openWebhookTester(settings, Date.now, destination);
  const { sentAt, ...report } = await tester.send();
  tester.close();
  return { ...report, sentAt: new Date(sentAt).toISOString() };
}

async function askApi(settings: Settings, destination: string): Promise<Report> {
  const urlSetting = urlSettingOf(destination);
  const secrets = urlSetting.replace('URL', 'SECRETS');
  const instead = `${urlSetting} and ${secrets} to test a receiver from here`;
  const path = `/v1/webhook/test?destination=${encodeURIComponent(destination)}`;
  return WebhookTestSchema.parse(await askRunningApi(settings, path, { method: 'POST', instead }));
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
