/** A Python with a library in it: a virtual environment, kept in the cache. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { readMachine } from '../../src/platform/settings/machine.ts';
import { runCommand } from '../../dev/run-command.ts';

export interface PythonLibrary {
  /** The name of the module, which shows whether it is installed. */
  readonly module: string;
  /** A requirements file of pip, with every version pinned. */
  readonly requirements: string;
}

/** Standard Webhooks' own library. */
export const STANDARD_WEBHOOKS: PythonLibrary = {
  module: 'standardwebhooks',
  requirements: join(import.meta.dirname, 'standardwebhooks.txt'),
};

/** At most forty small downloads, on a machine that is busy otherwise. */
const INSTALL_LIMIT_MS = 300_000;

/** The path of a `python` that can import it; rejects with what to install. */
export async function findPython({ module, requirements }: PythonLibrary): Promise<string> {
  const { cacheHome, environment } = readMachine();
  const options = { env: environment, timeoutMs: INSTALL_LIMIT_MS };
  const version = await runCommand('python3', ['--version'], options);
  if (!version.ok) {
    throw new Error(`Python 3 is not here (${version.problem}): install python3 with its venv.`);
  }
  // For one interpreter: an environment does not outlive the version that it was made with.
  const interpreter = version.output
    .trim()
    .toLowerCase()
    .replaceAll(/[^\w.]+/g, '-');
  const wanted = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex');
  const environmentFolder = join(
    cacheHome,
    'daybell',
    `${module}-${wanted.slice(0, 12)}-${interpreter}`,
  );
  const python = join(environmentFolder, 'bin', 'python');
  const works = async (): Promise<boolean> =>
    (await runCommand(python, ['-c', `import ${module}`], options)).ok;
  if (await works()) return python;

  const workshop = `${environmentFolder}-${randomUUID()}`;
  try {
    await mkdir(join(workshop, '..'), { recursive: true });
    for (const [program, args] of [
      ['python3', ['-m', 'venv', workshop]],
      [join(workshop, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '-r', requirements]],
    ] as const) {
      const result = await runCommand(program, args, options);
      if (!result.ok) throw new Error(problemWith(args, result.problem, result.output));
    }
    // Nobody ever sees half of it; another run may have been faster, and its result works.
    if (!(await works())) await rm(environmentFolder, { recursive: true, force: true });
    await rename(workshop, environmentFolder).catch(() => {});
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
  if (await works()) return python;
  throw new Error(`${python} cannot import ${module}, though it was installed.`);
}

function problemWith(args: readonly string[], problem: string, output: string): string {
  return `python3 ${args.slice(0, 2).join(' ')} failed (${problem}): Python needs its venv and pip, and pip its index.\n${output.trim()}`;
}
