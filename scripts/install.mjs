/**
 * Runs before `npm start`, `npm test` and the others: installs what package-lock.json names, if it
 * is not installed. Plain JavaScript without dependencies, for any Node that the machine has: what
 * it installs brings the Node that everything else runs on.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { faultOfNode } from './node-integrity.mjs';

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

if (!existsSync(pinnedNode) || !(hasStamp() || matchesLockFile())) {
  await install();
  if (!existsSync(pinnedNode)) {
    fail(
      'npm did not run the install scripts of the packages listed under "allowScripts" in package.json,',
      'so the Node that Daybell runs on is missing. Is ignore-scripts set (npm config get ignore-scripts)?',
      'Run: npm ci --ignore-scripts=false',
    );
  }
  writeFileSync(stampFile, stamp);
}
const fault = faultOfNode(modules);
if (fault !== null) fail(`The Node that npm installed is not the one that was reviewed: ${fault}.`);

/** Whether this script installed what the lock file names. */
function hasStamp() {
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp;
}

/** For an npm that was run by hand: whether its record has every package of the lock file, at its version. */
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
    fail(
      `npm ci failed (${problem}); its own message is above.`,
      'Check that the npm registry can be reached (npm ping) and that this folder can be written to, then run the command again.',
    );
  }
  say(`Packages installed in ${Math.round((Date.now() - started) / 1000)} s.`);
}

/** Null when npm ci went well, otherwise what went wrong. */
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
