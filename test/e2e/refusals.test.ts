/** What `npm start` refuses, and its messages. Nothing is started in any of these tests. */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';

import { describe, expect, onTestFinished, test } from 'vitest';

import { runDaybell, temporaryDataDir } from '../support/started-daybell.ts';

describe('a start is refused with a clear message', () => {
  test('when ports are taken, naming each with its setting', async () => {
    const settings = [
      'PORT',
      'POSTGRES_DEV_PORT',
      'TEMPORAL_DEV_PORT',
      'TEMPORAL_DEV_UI_PORT',
      'RECEIVER_DEV_PORT',
      'METRICS_PORT',
    ];
    const ports = new Map<string, number>();
    for (const setting of settings) ports.set(setting, await takePort());
    const { exitCode, said, dataDir } = await refuse(
      Object.fromEntries([...ports].map(([setting, port]) => [setting, String(port)])),
    );
    for (const [setting, port] of ports) {
      expect(said).toContain(`${setting}: port ${port} on 127.0.0.1 is taken by another program`);
    }
    expect(exitCode).toBe(1);
    expect(existsSync(join(dataDir, 'processes.json'))).toBe(false);
  });

  test('when HOST is one that others can reach, and there are no keys', async () => {
    const { exitCode, said } = await refuse({ HOST: '0.0.0.0' });
    expect(said).toContain('HOST: must be a loopback address such as 127.0.0.1, unless API_KEYS');
    expect(exitCode).toBe(78);
  });

  test('when there is a file in the place of DATA_DIR', async () => {
    const file = await temporaryDataDir();
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, '');
    const { exitCode, said } = await refuse({ DATA_DIR: file });
    expect(said).toContain(`DATA_DIR: ${file} cannot be written to (E`);
    expect(exitCode).toBe(1);
  });

  test('if settings are not usable, naming all of them at once', async () => {
    const { exitCode, said } = await refuse({
      PORT: 'none',
      LATE_AFTER: 'soon',
      DATABASE_URL: 'mysql://a:secret@b/c',
    });
    for (const name of ['PORT', 'LATE_AFTER', 'DATABASE_URL'])
      expect(said).toContain(`${name}: must be`);
    expect(said).not.toContain('secret');
    expect(exitCode).toBe(78);
  });

  test('if only a custom receiver is configured, with the line to type', async () => {
    const { exitCode, said } = await refuse({
      PORT: 'none',
      WEBHOOK_URL: 'http://127.0.0.1:8080',
    });
    expect(said).toContain('PORT: must be');
    expect(said).toContain('WEBHOOK_URL: must have a host on the public internet');
    expect(said).toContain('WEBHOOK_SECRETS: must be set');
    expect(said).toContain(
      'export WEBHOOK_ALLOW_PRIVATE=true WEBHOOK_SECRETS=$(npm run --silent secret:new)',
    );
    expect(exitCode).toBe(78);
  });
});

async function refuse(settings: NodeJS.ProcessEnv) {
  const dataDir = settings['DATA_DIR'] ?? (await temporaryDataDir());
  const terminal = runDaybell({ DATA_DIR: dataDir, ...settings });
  const exitCode = await terminal.exited;
  return { exitCode, said: terminal.lines.join('\n'), dataDir };
}

async function takePort(): Promise<number> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise((resolve) => void server.close(() => resolve())));
  return (server.address() as AddressInfo).port;
}
