/** A Dockerfile's steps, run natively: each stage in a folder of its own, as far as ours use them. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { runCommand } from '../../dev/run-command.ts';
import { inWorkshop } from '../support/workshop.ts';

interface Step {
  /** Such as `RUN`. */
  readonly instruction: string;
  readonly rest: string;
}

interface Stage {
  readonly image: string;
  readonly name: string;
  readonly steps: readonly Step[];
}

/** The result of the last stage, as a container of it would run. */
export interface BuiltImage {
  /** Its root. */
  readonly root: string;
  /** In the root. */
  readonly workdir: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  /** `uid:gid`. */
  readonly user: string;
}

export interface BuildOptions {
  /**
   * The folder that `docker build` would be given; files that .dockerignore excludes are not
   * copied.
   */
  readonly context: string;
  /** A folder for the stages. */
  readonly into: string;
  /** A folder that outlives the build, for what npm installs. */
  readonly cache: string;
  /** Where RUN finds its programs, the image's Node first. */
  readonly path: string;
  readonly environment: NodeJS.ProcessEnv;
}

/** The time for an installation with npm, on a busy machine. */
const RUN_LIMIT_MS = 5 * 60_000;
/** So long modules are kept that no build has used. */
const KEEP_MS = 7 * 86_400_000;

export function readDockerfile(file: string): Stage[] {
  const stages: { image: string; name: string; steps: Step[] }[] = [];
  const text = readFileSync(file, 'utf8').replaceAll(/^#.*\n/gm, '');
  for (const line of text.split('\n').filter((each) => each.trim() !== '')) {
    const [, instruction = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (instruction === 'FROM') {
      const [image = '', , name = String(stages.length)] = rest.split(/\s+/);
      stages.push({ image, name, steps: [] });
    } else {
      stages.at(-1)?.steps.push({ instruction, rest });
    }
  }
  return stages;
}

/** Runs all stages in order; rejects with a step's output, or if it is of another kind. */
export async function buildNatively(
  stages: readonly Stage[],
  options: BuildOptions,
): Promise<BuiltImage> {
  const isIgnored = readIgnored(join(options.context, '.dockerignore'));
  let image: BuiltImage | null = null;
  for (const stage of stages) {
    const root = join(options.into, stage.name);
    await mkdir(root);
    let workdir = '/';
    const environment: Record<string, string> = {};
    let entrypoint: string[] = [];
    let command: string[] = [];
    let user = '0:0';
    for (const { instruction, rest } of stage.steps) {
      if (instruction === 'WORKDIR') {
        workdir = rest;
        await mkdir(join(root, workdir), { recursive: true });
      } else if (instruction === 'COPY') {
        await copy(rest, join(root, workdir), options, isIgnored);
      } else if (instruction === 'RUN') {
        const runStep = rest.startsWith('npm ci ') ? install : run;
        await runStep(rest, join(root, workdir), options);
      } else if (instruction === 'ENV') {
        const [name = '', value = ''] = rest.split('=');
        environment[name] = value;
      } else if (instruction === 'USER') user = rest;
      else if (instruction === 'ENTRYPOINT') entrypoint = JSON.parse(rest);
      else if (instruction === 'CMD') command = JSON.parse(rest);
      else throw new Error(`a step of another kind: ${instruction} ${rest}`);
    }
    image = { root, workdir, environment, entrypoint, command, user };
  }
  if (image === null) throw new Error('there is no stage');
  return image;
}

async function copy(
  rest: string,
  workdir: string,
  { context, into }: BuildOptions,
  isIgnored: (path: string) => boolean,
): Promise<void> {
  const [, stage, paths = ''] = /^(?:--from=(\S+) )?(.*)$/.exec(rest) ?? [];
  const words = paths.split(/\s+/);
  const target = join(workdir, words.at(-1) ?? '');
  const sources = words.slice(0, -1);
  const from = stage === undefined ? context : join(into, stage);
  for (const source of sources) {
    const isFolderTarget = sources.length > 1 || words.at(-1) === './';
    const to = isFolderTarget ? join(target, basename(source)) : target;
    if (stage === undefined) {
      await cp(join(from, source), to, {
        recursive: true,
        verbatimSymlinks: true,
        filter: (path) => !isIgnored(path.slice(context.length + 1)),
      });
    } else await copyAll(join(from, source), to);
  }
}

/** A hundred megabytes of small files, which Node copies one by one. */
async function copyAll(from: string, to: string): Promise<void> {
  const { ok, output } = await runCommand('cp', ['-a', from, to], { timeoutMs: RUN_LIMIT_MS });
  if (!ok) throw new Error(output);
}

/** As Docker does: what `npm ci` has made of the same files is used again. */
async function install(line: string, workdir: string, options: BuildOptions): Promise<void> {
  const hash = createHash('sha256').update(`${process.version} ${line}`);
  for (const name of ['package.json', 'package-lock.json', '.npmrc']) {
    hash.update(readFileSync(join(workdir, name)));
  }
  const kept = join(options.cache, `image-modules-${hash.digest('hex').slice(0, 12)}`);
  const modules = join(workdir, 'node_modules');
  if (existsSync(kept)) {
    await utimes(kept, new Date(), new Date());
    return copyAll(join(kept, 'node_modules'), modules);
  }
  await run(line, workdir, options);
  await forgetUnused(options.cache);
  await inWorkshop(kept, async (workshop) => {
    await copyAll(modules, join(workshop, 'node_modules'));
    return null;
  });
}

async function forgetUnused(cache: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  for (const name of await readdir(cache)) {
    if (!name.startsWith('image-modules-')) continue;
    const { mtimeMs } = await stat(join(cache, name));
    if (mtimeMs < Date.now() - KEEP_MS) await rm(join(cache, name), { recursive: true });
  }
}

async function run(line: string, workdir: string, options: BuildOptions): Promise<void> {
  const result = await runCommand('/bin/sh', ['-c', line], {
    cwd: workdir,
    env: { ...options.environment, PATH: options.path },
    timeoutMs: RUN_LIMIT_MS,
  });
  if (!result.ok) throw new Error(`RUN ${line}: ${result.problem}\n${result.output}`);
}

/** `*`, `!name` and `**` + a suffix: the patterns of our file. */
function readIgnored(file: string): (path: string) => boolean {
  const rules = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const kept = new Set(rules.filter((rule) => rule.startsWith('!')).map((rule) => rule.slice(1)));
  const suffixes = rules.filter((rule) => rule.startsWith('**/*')).map((rule) => rule.slice(4));
  return (path) => {
    const top = dirname(path) === '.' ? path : (path.split('/')[0] ?? '');
    return !kept.has(top) || suffixes.some((suffix) => path.endsWith(suffix));
  };
}
