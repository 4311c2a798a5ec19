/**
 * Runs before `npm start`, `npm test` and the others: installs the packages of package-lock.json
 * unless they are installed. Plain JavaScript without dependencies, for any Node that the machine
 * has: it installs the Node that everything else runs on.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { faultOfNode } from './node-integrity.mjs';
import { npmFaults } from './npm-settings.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const lockFile = join(root, 'package-lock.json');
const stampFile = join(modules, '.daybell-installed');
const pinnedNode = join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');

if (!existsSync(lockFile))
  fail('package-lock.json is missing: this is not a complete copy of Daybell.');
const stamp = createHash('sha256')
  .update(readFileSync(lockFile))
  .update(`${process.platform} ${process.arch}`)
  .digest('hex');

/** These do not need packages for development, which may be missing. */
const needsDev = !/^pre(start|stack|demo|temporal)$/.test(process.env.npm_lifecycle_event ?? '');
if (!isUsable() || !(hasStamp() || matchesLockFile())) {
  await install();
  if (!isUsable()) fail('npm ci succeeded, and yet what Daybell runs on is missing.', ...causes());
  writeFileSync(stampFile, stamp);
}
const fault = faultOfNode(modules);
if (fault !== null) fail(`The Node that npm installed is not the one that was reviewed: ${fault}.`);

/** Whether Node is there, as a command too, and the development packages if they are needed. */
function isUsable() {
  return (
    existsSync(pinnedNode) &&
    existsSync(join(modules, '.bin', 'node')) &&
    (!needsDev || existsSync(join(modules, 'typescript')))
  );
}

/** Why npm did not do it, according to its own settings, and what to run instead. */
function causes() {
  const { stdout } = spawnSync('npm', ['config', 'list', '--json'], {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  let config;
  try {
    config = JSON.parse(stdout);
  } catch {
    return ['npm does not say which settings it has: npm config list'];
  }
  const faults = npmFaults(config, needsDev, process.env.NODE_ENV);
  if (faults.length > 0) {
    return [
      ...faults.map(({ name, effect }) => `The npm setting ${name} is the cause: ${effect}.`),
      `Run: npm ci ${[...new Set(faults.map(({ cure }) => cure))].join(' ')}`,
    ];
  }
  // If it contains a password, npm itself leaves it out.
  const proxy = config['https-proxy'] ?? config.proxy;
  const through = proxy ? ` through the proxy ${proxy}` : '';
  return [
    `npm asks the registry ${config.registry}${through}. Check that it can be reached (npm ping),`,
    "and that it has these versions: npm ci --registry=https://registry.npmjs.org/ asks npm's own.",
    'Check that this folder can be written to, too.',
  ];
}

/** Whether this script installed what the lock file names. */
function hasStamp() {
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp;
}

/**
 * For an npm that was run by hand: whether its record has every package of the lock file, in its
 * version.
 */
function matchesLockFile() {
  const record = join(modules, '.package-lock.json');
  if (!existsSync(record)) return false;
  const wanted = Object.entries(JSON.parse(readFileSync(lockFile, 'utf8')).packages);
  const found = JSON.parse(readFileSync(record, 'utf8')).packages;
  return wanted.every(
    ([path, { version, integrity, optional }]) =>
      path === '' ||
      (found[path] === undefined
        ? optional === true
        : found[path].version === version && found[path].integrity === integrity),
  );
}

async function install() {
  say('Installing packages (npm ci). The first time this takes a minute or so.');
  const started = Date.now();
  const progress = setInterval(() => {
    say(`Still installing packages, ${Math.round((Date.now() - started) / 1000)} s so far.`);
  }, 10_000);
  const problem = await runNpm();
  clearInterval(progress);
  if (problem !== null) {
    fail(`npm ci failed (${problem}); its own message is above.`, ...causes());
  }
  say(`Packages installed in ${Math.round((Date.now() - started) / 1000)} s.`);
}

/** Null if npm ci succeeded, otherwise what went wrong. */
function runNpm() {
  return new Promise((resolve) => {
    const npm = spawn(
      'npm',
      ['ci', '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'],
      {
        cwd: root,
        env: { ...process.env, PATH: pathWithoutOwnModules() },
        stdio: ['ignore', 'inherit', 'inherit'],
        shell: process.platform === 'win32',
      },
    );
    npm.once('error', (error) => resolve(error.message));
    npm.once('exit', (code, signal) =>
      resolve(code === 0 ? null : (signal ?? `exit code ${code}`)),
    );
  });
}

/** npm ci deletes node_modules: it must not run on the Node inside. */
function pathWithoutOwnModules() {
  const own = join(modules, '.bin');
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter((entry) => entry !== own)
    .join(delimiter);
}

function say(line) {
  process.stderr.write(`daybell: ${line}\n`);
}

function fail(...lines) {
  process.stderr.write(`\n${lines.map((line) => `daybell: ${line}`).join('\n')}\n\n`);
  process.exit(1);
}
