import { spawnSync } from 'node:child_process';

import { expect, test } from 'vitest';

/** Runs a process that starts like this; returns its log. */
function runUntilEnd(start: string) {
  const service = new URL('service.ts', import.meta.url);
  const script = `
    import { runService } from ${JSON.stringify(service.href)};
    await runService('test', async ({ onStop }) => { ${start} });`;
  const options = { encoding: 'utf8', env: {}, timeout: 60_000 } as const;
  const { status, stdout } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', script],
    options,
  );
  const log = stdout.split('\n').filter((line) => line !== '');
  return { status, log: log.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test.each([
  ['while it starts', 'throw error;'],
  ['later', 'void Promise.reject(error);'],
])('a failure %s ends the process, and is logged without personal data', (_, happens) => {
  const { status, log } = runUntilEnd(`
    const quoted = 'invalid input syntax for type date: "Lovelace"';
    const error = Object.assign(new Error(quoted), { severity: 'ERROR', code: '22007' });
    ${happens}`);
  expect(status).toBe(1);
  expect(log).toContainEqual(
    expect.objectContaining({ level: 'fatal', error: expect.objectContaining({ code: '22007' }) }),
  );
  expect(JSON.stringify(log)).not.toMatch(/Lovelace/);
});

test('a failure while it stops is logged, and it still stops', () => {
  const { status, log } = runUntilEnd(`
    setInterval(() => {}, 1_000);
    setTimeout(() => process.kill(process.pid, 'SIGTERM'), 100);
    onStop(async () => {
      void Promise.reject(Object.assign(new Error('late'), { code: 'ELATE' }));
      await new Promise((resolve) => setImmediate(resolve));
    });`);
  expect(status).toBe(0);
  expect(log).toContainEqual(
    expect.objectContaining({ level: 'error', msg: 'failed while stopping' }),
  );
});
