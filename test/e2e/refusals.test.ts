/** What `npm start` refuses, and how it says so. Nothing is started in any of these. */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';

import { describe, expect, onTestFinished, test } from 'vitest';

import { newApiKey } from '../../src/platform/settings/api-keys.ts';
import { runDaybell, temporaryDataDir } from '../support/started-daybell.ts';

describe('a start is refused with a clear message', () => {
  test.for([
    'PORT',
    'POSTGRES_DEV_PORT',
    'TEMPORAL_DEV_PORT',
    'TEMPORAL_DEV_UI_PORT',
    'RECEIVER_DEV_PORT',
    'METRICS_PORT',
  ])('when the port of %s is taken', async (setting) => {
    const port = await takePort();
    const { exitCode, said, dataDir } = await refuse({ [setting]: String(port) });
    expect(said).toContain(`${setting}: port ${port} on 127.0.0.1 is taken by another program`);
    expect(exitCode).toBe(1);
    expect(existsSync(join(dataDir, 'processes.json'))).toBe(false);
  });

  test('when two settings name one port', async () => {
    const { exitCode, said } = await refuse({ PORT: '8499', RECEIVER_DEV_PORT: '8499' });
    expect(said).toContain('RECEIVER_DEV_PORT: port 8499 is also that of PORT');
    expect(exitCode).toBe(1);
  });

  test('when HOST is not an address of this machine', async () => {
    const { entry } = newApiKey('crm', ['users:read']);
    const { exitCode, said } = await refuse({ HOST: '192.0.2.1', API_KEYS: entry });
    expect(said).toContain('PORT: 192.0.2.1 is not an address of this machine (HOST)');
    expect(exitCode).toBe(1);
  });

  test('when HOST is one that others can reach, and there are no keys', async () => {
    for (const HOST of ['0.0.0.0', '::', '192.0.2.1', 'daybell.example']) {
      const { exitCode, said } = await refuse({ HOST });
      expect(said).toContain('HOST: must be a loopback address such as 127.0.0.1, unless API_KEYS');
      expect(exitCode).toBe(78);
    }
  });

  test('when there is a file in the place of DATA_DIR, or above it', async () => {
    const file = await temporaryDataDir();
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, '');
    for (const DATA_DIR of [file, join(file, 'deeper')]) {
      const { exitCode, said } = await refuse({ DATA_DIR });
      expect(said).toContain(`DATA_DIR: ${DATA_DIR} cannot be written to (E`);
      expect(said).toMatch(/file already exists|not a directory/);
      expect(exitCode).toBe(1);
    }
  });

  test('when settings are not usable, naming all of them at once', async () => {
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

  test('when a receiver of the own is given and nothing else, with the line to type', async () => {
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

  test('when the destination is one that the guard never lets through', async () => {
    const { exitCode, said } = await refuse({
      WEBHOOK_URL: 'http://user:hunter2@localhost:4000/hook',
      WEBHOOK_SECRETS: `whsec_${Buffer.alloc(32).toString('base64')}`,
    });
    expect(said).toContain('WEBHOOK_URL: must have a host on the public internet');
    expect(said).not.toContain('hunter2');
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
