// @module-tag long
/** docs/operations.md: every command on it is run, and has the described result. */
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { loadSettings } from '../../src/platform/settings/settings.ts';
import { readEmbeddedDatabaseUrl } from '../../src/platform/database/embedded-database.ts';
import { stackSettings } from '../../dev/stack/settings.ts';
import { startOperatedDaybell, type OperatedDaybell } from './operated-daybell.ts';
import { createPeople, EXTERNAL_ID, RULES, TODAY } from './operated-people.ts';
import { runProgram } from '../support/process.ts';
import { operatorTasks } from './operator-tasks.ts';
import { upkeepTasks } from './operator-upkeep.ts';
import { anchorOf, readAlarmEntries, readTasks, type ExpectedTasks } from './runbook.ts';

const page = readFileSync('docs/operations.md', 'utf8');
const at = (port: number | undefined) => `http://127.0.0.1:${port}`;
const toType = readTasks(page, '## What to type');
/** The last one, since it changes everything. */
const move = toType.at(-1);
const tasks = [
  ...toType.slice(0, -1),
  ...readTasks(page, '### To restore'),
  ...(move ? [move] : []),
];

describe('typed', () => {
  let daybell: OperatedDaybell | undefined;
  const typed = (command: string) =>
    daybell?.run(command) ?? Promise.reject(new Error('not started'));
  let expected: ExpectedTasks;
  beforeAll(async () => {
    daybell = await startOperatedDaybell(RULES);
    Object.assign(daybell.variables, { DATE: TODAY, EXTERNAL_ID });
    const people = await createPeople(daybell);
    expected = { ...operatorTasks(daybell, people), ...upkeepTasks(daybell, people) };
  });
  afterAll(() => daybell?.close());

  test('every command belongs to a task with an expected result', () => {
    expect(tasks.map(({ name }) => name)).toEqual(Object.keys(expected));
  });

  test('its statements for the database work', async () => {
    const statements = [...page.matchAll(/^```sql\n([\s\S]*?)^```$/gm)].map(
      ([, text = '']) => text,
    );
    expect(statements.length).toBeGreaterThan(0);
    for (const statement of statements) expect(await daybell?.sql(statement)).not.toEqual([]);
  });

  test.for(tasks)('$name', { timeout: 240_000 }, async ({ name, commands }) => {
    const steps = expected[name] ?? [];
    const areKnown = commands.map((command, index) => command.includes(steps[index]?.of ?? '\n'));
    expect(areKnown).toEqual(steps.map(() => true));
    for (const [index, command] of commands.entries()) {
      const { given, says, effect } = steps[index] ?? {};
      await given?.();
      const { exitCode, said } = await typed(command);
      expect({ command, exitCode, said }).toMatchObject({ exitCode: 0 });
      if (says !== undefined) expect(said).toMatch(says);
      await effect?.();
    }
  });
});

test('commands for `npm run stack` work there', async () => {
  const [, preamble = ''] = /\n## What to type\n([\s\S]*?)\n### /.exec(page) ?? [];
  const [, block = ''] = /^```sh\n([\s\S]*?)^```$/m.exec(preamble) ?? [];
  const cwd = await mkdtemp(join(tmpdir(), 'daybell-stack-'));
  const stack = stackSettings(loadSettings({}));
  const dataDir = join(cwd, stack.DATA_DIR);
  await mkdir(dataDir, { recursive: true });
  await writeFile(join(dataDir, 'postgres.password'), 'secret\n');
  const shell = runProgram('bash', ['-c', `${block}\nenv`], { settings: {}, cwd });
  expect(await shell.exited).toBe(0);
  expect(shell.lines).toEqual(
    expect.arrayContaining([
      `DATABASE_URL=${await readEmbeddedDatabaseUrl(dataDir, stack.POSTGRES_DEV_PORT)}`,
      `TEMPORAL_ADDRESS=127.0.0.1:${stack.TEMPORAL_DEV_PORT}`,
      'TEMPORAL_NAMESPACE=default',
      `TEMPORAL_TASK_QUEUE=${stack.TEMPORAL_TASK_QUEUE}`,
      `API=${at(stack.PORT)}`,
      `METRICS=${at(stack.METRICS_PORT)}`,
      `PROMETHEUS=${at(stack.PROMETHEUS_DEV_PORT)}`,
    ]),
  );
  await rm(cwd, { recursive: true });
});

test('every command of Daybell on the page exists', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
  for (const [, name] of page.matchAll(/npm run ([\w:]+)/g))
    expect(scripts).toHaveProperty([`${name}`]);
});

test('every variable of a command is explained', () => {
  const commands = tasks.flatMap((task) => task.commands);
  const variables = new Set(commands.flatMap((command) => command.match(/(?<=\$)\w+/g) ?? []));
  for (const variable of variables) expect(page).toContain(`\`${variable}\``);
});

test('every alarm has an entry that says which command to run', () => {
  const rules = readFileSync('deploy/prometheus/alerts.yml', 'utf8');
  const anchors = new Set([...rules.matchAll(/docs\/operations\.md#(\S+)/g)].map(([, at]) => at));
  const entries = readAlarmEntries(page);
  expect([...entries.keys()].map(anchorOf).toSorted()).toEqual([...anchors].toSorted());
  const known = new Set(tasks.map(({ name }) => anchorOf(name)));
  for (const [name, entry] of entries) {
    expect(entry).toMatch(/^\*\*Done when\*\* /m);
    expect(entry).toMatch(/Web UI/);
    expect(entry).toMatch(/\bAPI\b|GET \/|\$API/);
    const [, typed = ''] = entry.split('**Type**: ');
    const links = [...typed.matchAll(/\]\(#([\w-]+)\)/g)].map(([, at = '']) => at);
    const isTold = typed.includes('`npm run ') || links.some((at) => known.has(at));
    expect({ name, isTold }).toEqual({ name, isTold: true });
  }
});

test('links within the page have a target', () => {
  const headings = [...page.matchAll(/^#{2,3} (.*)$/gm)].map(([, words = '']) => anchorOf(words));
  for (const [, at] of page.matchAll(/\]\(#([\w-]+)\)/g)) expect(headings).toContain(at);
});
