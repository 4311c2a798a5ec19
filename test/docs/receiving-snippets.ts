/** The receivers of docs/receiving.md, extracted from the page and run unchanged. */
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { freePort } from '../support/free-port.ts';
import { runProgram, type TestProcess } from '../support/process.ts';
import { findPython, STANDARD_WEBHOOKS } from '../support/python.ts';

export type SnippetLanguage = 'ts' | 'python';

export interface SnippetReceiver {
  readonly url: string;
  /** The folder it runs in, with its source. */
  readonly folder: string;
  readonly process: TestProcess;
  /** The ids in its inbox, in any order. */
  inbox(): string[];
  stop(): Promise<void>;
}

const PAGE = 'docs/receiving.md';

/** The only program of a language on the page. */
export async function readSnippet(language: SnippetLanguage): Promise<string> {
  const page = await readFile(PAGE, 'utf8');
  const found = [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))];
  const [program] = found;
  if (program?.[1] === undefined || found.length > 1) {
    throw new Error(`${PAGE} has ${found.length} programs in ${language}, not one.`);
  }
  return program[1];
}

/** Runs it on its own port and in its own folder; resolves when it reports that it is ready. */
export async function startSnippet(
  language: SnippetLanguage,
  secret: string,
): Promise<SnippetReceiver> {
  const folder = await mkdtemp(join(tmpdir(), 'daybell-receiving-'));
  const file = `receiver.${language === 'ts' ? 'ts' : 'py'}`;
  await writeFile(join(folder, file), await readSnippet(language));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await symlink(resolve('node_modules'), join(folder, 'node_modules'));

  const program = language === 'ts' ? process.execPath : await findPython(STANDARD_WEBHOOKS);
  const port = await freePort();
  const receiver = runProgram(program, [file], {
    cwd: folder,
    settings: { WEBHOOK_SECRET: secret, PORT: String(port) },
  });
  await receiver.line(/^ready$/);
  return {
    url: `http://127.0.0.1:${port}/greetings`,
    folder,
    process: receiver,
    inbox() {
      const database = new DatabaseSync(join(folder, 'inbox.db'));
      const rows = database.prepare('select webhook_id from inbox').all();
      database.close();
      return rows.map((row) => String(row['webhook_id']));
    },
    async stop() {
      await receiver.stop('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
