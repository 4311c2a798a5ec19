/** The commands of docs/operations.md. */

export interface RunbookTask {
  /** The heading above it. */
  readonly name: string;
  /** As they are typed, without their comments. */
  readonly commands: readonly string[];
}

/** The expected result of a command. */
export interface ExpectedStep {
  /** A part of the command that identifies it. */
  readonly of: string;
  /** Prepares something for the command to do. */
  readonly given?: () => Promise<void>;
  /** The expected output. */
  readonly says?: RegExp;
  /** The expected effect. */
  readonly effect?: () => Promise<void>;
}

/** By the name of the task, in the order of the page. */
export type ExpectedTasks = Readonly<Record<string, readonly ExpectedStep[]>>;

/** The commands of one part of the page (`## …`), or of one heading of another part (`### …`). */
export function readTasks(page: string, heading: string): RunbookTask[] {
  const [, part = ''] = page.split(`\n${heading}\n`);
  const level = /^#+/.exec(heading)?.[0] ?? '';
  // A `#` by itself begins a comment of a command.
  const [own = ''] = part.split(new RegExp(`^#{2,${level.length}} `, 'm'));
  const [first = '', ...rest] = own.split(/^### /m);
  const sections = level === '##' ? rest : [`${heading.slice(level.length + 1)}\n${first}`];
  return sections.map(readTask);
}

/** Each heading below `## Alarms`, with its text. */
export function readAlarmEntries(page: string): Map<string, string> {
  const [, rest = ''] = page.split('\n## Alarms\n');
  const [alarms = ''] = rest.split(/^## /m);
  const entries = alarms.split(/^### /m).slice(1);
  return new Map(entries.map((entry) => [nameOf(entry), entry]));
}

/** What links to a heading contain after the `#`. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-');
}

function readTask(section: string): RunbookTask {
  const blocks = [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text);
  const lines = blocks
    .flatMap((text) => text.split('\n'))
    .filter((line) => line !== '' && !line.startsWith('#'));
  return { name: nameOf(section), commands: lines.map(withoutComment) };
}

const nameOf = (section: string): string => section.split('\n')[0] ?? '';

/** Spaces before it distinguish a comment from a `#` in a word. */
const withoutComment = (line: string): string => line.replace(/ {2,}#.*$/, '');
