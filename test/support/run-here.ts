/**
 * Runs a command of Daybell in the test's process: its file is evaluated anew, with arguments,
 * settings and output of its own. That it ends as a process is seen by one test of each command: a
 * start of Node takes half a second of CPU.
 */
export interface CommandRun {
  /** Its exit code. */
  readonly code: number;
  /** Standard output and error. */
  readonly text: string;
}

let runs = 0;

/** One after the other: what it replaces is the whole process's. */
export async function runHere(
  entry: string,
  args: readonly string[],
  settings: NodeJS.ProcessEnv = {},
): Promise<CommandRun> {
  const { argv, env, exitCode, stdout, stderr } = process;
  const written: string[] = [];
  const write = (text: string | Uint8Array): boolean => {
    written.push(String(text));
    return true;
  };
  const restored = [stdout, stderr].map((stream) => {
    const before = stream.write;
    stream.write = write;
    return () => void (stream.write = before);
  });
  process.argv = [process.execPath, entry, ...args];
  process.env = { PATH: env['PATH'], ...settings };
  process.exitCode = undefined;
  const file = `../../${entry}?run=${(runs += 1)}`;
  try {
    await import(/* @vite-ignore */ file);
    return { code: Number(process.exitCode ?? 0), text: linesOf(written.join('')).join('\n') };
  } finally {
    Object.assign(process, { argv, env });
    process.exitCode = exitCode;
    for (const restore of restored) restore();
  }
}

/** As a terminal shows them, without an empty one at the end. */
function linesOf(text: string): string[] {
  const lines = text.split(/\r\n|\n|\r/);
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}
