import { beforeAll, expect, test } from 'vitest';

import { ForecastSchema } from '../../src/forecast/schema.ts';
import { listen } from '../../src/platform/http-server.ts';
import { ADA, useTestApi } from '../support/api.ts';
import { runProgram, type TestProcess } from '../support/process.ts';

const api = useTestApi();
beforeAll(async () => {
  await api.send('POST', '/v1/users', ADA);
});

const HOUR = 3_600_000;
const inHours = (hours: number): string => new Date(Date.now() + hours * HOUR).toISOString();

function forecast(args: readonly string[], settings: NodeJS.ProcessEnv = {}): TestProcess {
  return runProgram(process.execPath, ['src/forecast/command.ts', ...args], { settings });
}

async function outputOf(run: TestProcess): Promise<{ code: number | null; text: string }> {
  const code = await run.exited;
  return { code, text: run.lines.join('\n') };
}

test('draws what falls due, from the database', async () => {
  const args = ['--from', inHours(1), '--to', inHours(24 * 366)];
  const { code, text } = await outputOf(forecast(args, { DATABASE_URL: api.database.url }));
  expect(text).toMatch(/: 1 due, 0 of them planned/);
  expect(text).toMatch(/^\d{4}-12-10 {2}1 {2}█{40}$/m);
  expect(text).toMatch(/The fullest minutes:\n {2}\d{4}-12-10 09:00Z +1 {2}Europe\/London 1/);
  expect(code).toBe(0);
});

test('without a database of its own asks the Daybell that runs; as JSON, too', async () => {
  const place = { host: '127.0.0.1', port: 0, setting: 'PORT', keepAliveMs: 5_000 };
  const server = await listen(api.app, place);
  const { port } = new URL(server.url);
  const args = ['--to', inHours(24 * 366), '--json'];
  const { code, text } = await outputOf(forecast(args, { PORT: port }));
  await server.stop();
  expect(ForecastSchema.parse(JSON.parse(text))).toMatchObject({ due: 1, planned: 0 });
  expect(code).toBe(0);

  const alone = await outputOf(forecast([], { PORT: port }));
  expect(alone.code).toBe(69);
  expect(alone.text).toMatch(/DATABASE_URL is not set, and no Daybell answers/);
});

test.each([
  [['--from', '2020-01-01T00:00:00Z'], '--from must not be in the past'],
  [['--to', '2999-01-01T00:00:00Z'], '--to must be at most 400 days after from'],
  [['--by', 'day'], "Unknown option '--by'"],
])('ends with 2 and the rule for %j', async (args, message) => {
  const { code, text } = await outputOf(forecast(args, { DATABASE_URL: api.database.url }));
  expect(code).toBe(2);
  expect(text).toContain(message);
  expect(text).toContain('Usage: npm run forecast');
});

test('a setting that is wrong, or a database that is away, is not a day without occurrences', async () => {
  const wrong = await outputOf(forecast([], { DATABASE_URL: 'mysql://x' }));
  expect(wrong.code).toBe(78);
  const away = await outputOf(
    forecast([], { DATABASE_URL: 'postgresql://x:hunter2@127.0.0.1:1/x' }),
  );
  expect(away.code).toBe(69);
  expect(away.text).toMatch(/ECONNREFUSED/);
  expect(away.text).not.toMatch(/hunter2/);
});
