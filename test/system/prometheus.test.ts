/**
 * The alarms and the metrics checked with Debian's promtool, which is years older than the newest.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';

import { MEASURED } from '../../dev/ports.ts';
import { lintMetrics } from '../metrics/lint-metrics.ts';
import { type MeasuredDaybell, startMeasuredDaybell } from '../metrics/measured-daybell.ts';
import { urlOf } from '../support/process.ts';
import { debianFile, runDebian } from './support/debian.ts';

const FOLDER = 'deploy/prometheus';

let daybell: MeasuredDaybell;
beforeAll(async () => {
  daybell = await startMeasuredDaybell();
});
afterAll(() => daybell.stop());

test('it accepts the rules and their tests', async () => {
  for (const args of [
    ['check', 'rules', `${FOLDER}/alerts.yml`],
    ['test', 'rules', `${FOLDER}/alerts.test.yml`, `${FOLDER}/alerts.july.test.yml`],
  ]) {
    const { exited, lines } = await runDebian('promtool', args);
    expect({ exitCode: await exited, lines }).toMatchObject({ exitCode: 0 });
  }
});

test('its check of metrics finds nothing', async () => {
  for (const name of MEASURED) {
    const page = await (await fetch(await urlOf(daybell.processes[name], 'metrics'))).text();
    expect(await lintMetrics(debianFile('usr/bin/promtool'), page)).toEqual({
      exitCode: 0,
      said: '',
    });
  }
});
