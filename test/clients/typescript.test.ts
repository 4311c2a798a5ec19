// @module-tag long
/** Clients that are generated from docs/openapi.json, with the compiler that the generator needs. */
import { createHash, randomUUID } from 'node:crypto';
import {
  cp,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { runCommand } from '../../dev/run-command.ts';
import { readMachine } from '../../src/platform/settings/machine.ts';
import { DESCRIPTION, readExamples } from './examples.ts';

const GENERATOR = join(import.meta.dirname, 'typescript');
const LIMIT_MS = 300_000;

test(
  'a client by openapi-typescript compiles what the README and docs/api.md send',
  { timeout: 2 * LIMIT_MS },
  async () => {
    const generator = await installGenerator();
    const folder = await mkdtemp(join(tmpdir(), 'daybell-client-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const run = async (program: string, ...args: readonly string[]) => {
      const bin = join(generator, 'node_modules', program);
      const { environment } = readMachine();
      const options = { cwd: folder, env: environment, timeoutMs: LIMIT_MS };
      const { ok, output, problem } = await runCommand(process.execPath, [bin, ...args], options);
      expect(ok, `${program}: ${problem}\n${output}`).toBe(true);
    };
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    await writeFile(join(folder, 'example.ts'), await example());
    await run('openapi-typescript/bin/cli.js', DESCRIPTION, '-o', 'daybell.d.ts');
    await symlink(join(generator, 'node_modules'), join(folder, 'node_modules'));
    const strict = ['--noEmit', '--strict', '--exactOptionalPropertyTypes'];
    const target = ['--module', 'nodenext', '--target', 'es2022', '--lib', 'es2022,dom'];
    await run('typescript/bin/tsc', ...strict, ...target, 'example.ts', 'daybell.d.ts');
  },
);

/** The requests that the pages send with curl, sent by the generated client. */
async function example(): Promise<string> {
  const { user, occasion } = await readExamples();
  return `
    import createClient from 'openapi-fetch';
    import type { components, paths } from './daybell.js';

    const daybell = createClient<paths>({ baseUrl: 'http://127.0.0.1:3000' });
    const created = await daybell.POST('/v1/users', { body: ${user} });
    const rules: string[] | undefined = created.error?.errors?.map(({ rule }) => rule);
    const id: string = created.data?.id ?? '';
    const read: components['schemas']['User'] | undefined = created.data;
    const occasion = await daybell.POST('/v1/users/{id}/occasions', {
      params: { path: { id } },
      body: ${occasion},
    });
    const status: 'active' | 'suspended' | 'ended' | undefined = occasion.data?.status;
    const put = await daybell.PUT('/v1/users/external/{externalId}', {
      params: { path: { externalId: 'crm-4711' } },
      body: ${user},
    });
    const conflict: string | undefined = put.error?.conflict?.userId;
    export { conflict, read, rules, status };`;
}

/** The folder with the generator and its own version of TypeScript; kept in the cache. */
async function installGenerator(): Promise<string> {
  const { cacheHome, environment } = readMachine();
  const lock = await readFile(join(GENERATOR, 'package-lock.json'));
  const wanted = createHash('sha256').update(lock).digest('hex').slice(0, 12);
  const folder = join(cacheHome, 'daybell', `openapi-typescript-${wanted}`);
  const isThere = async () => (await stat(folder).catch(() => null)) !== null;
  if (await isThere()) return folder;
  const workshop = `${folder}-${randomUUID()}`;
  await mkdir(workshop, { recursive: true });
  try {
    for (const file of ['package.json', 'package-lock.json']) {
      await cp(join(GENERATOR, file), join(workshop, file));
    }
    const options = { cwd: workshop, env: environment, timeoutMs: LIMIT_MS };
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
    const { ok, output, problem } = await runCommand('npm', args, options);
    if (!ok) throw new Error(`npm ci failed (${problem}): it needs its registry.\n${output}`);
    // Nobody ever sees half of it; another run may have been faster, and its result is as good.
    await rename(workshop, folder).catch(() => {});
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
  return folder;
}
