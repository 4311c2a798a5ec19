/**
 * Finds Temporal's time-skipping test server, a Java program: in the cache, by the
 * download that Temporal's SDK does itself, from Maven's repository, in this order.
 */
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { readMachine } from '../../src/platform/settings/machine.ts';
import { runCommand } from '../../dev/run-command.ts';
import { inWorkshop } from './workshop.ts';

/** The Java SDK's release that the server is part of. */
const VERSION = '1.38.0';
const COPY_GOAL = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
/** About 35 MB; the SDK's own download reports nothing while it stalls. */
const DOWNLOAD_LIMIT_MS = 120_000;
const MAVEN_LIMIT_MS = 10 * 60_000;

/** The path of a test server that runs here; rejects with what to install. */
export async function findTestServer(): Promise<string> {
  const { cacheHome, environment } = readMachine();
  const places = placesIn(join(cacheHome, 'daybell'));
  const cached = await findCached(places);
  if (cached !== null) return cached;

  const problems: string[] = [];
  for (const fetchServer of [download, copyFromMaven]) {
    problems.push(await fetchServer(places, environment));
    const fetched = await findCached(places);
    if (fetched !== null) return fetched;
  }
  throw new Error(
    [
      "Temporal's time-skipping test server is not here, and could not be fetched:",
      ...problems.map((problem) => `  - ${problem}`),
      'With a network the SDK downloads it; else install Java 17 or later and Maven.',
    ].join('\n'),
  );
}

type Places = ReturnType<typeof placesIn>;

function placesIn(cache: string) {
  const name = `temporal-test-server-${VERSION}`;
  return {
    /** What Maven copied. */
    jars: join(cache, name),
    /** What the SDK downloaded: a program for this machine. */
    native: join(cache, `${name}-native`),
    /** Starts the jars. */
    launcher: join(cache, 'bin', name),
  };
}

async function findCached({ native, jars, launcher }: Places): Promise<string | null> {
  const [program] = await filesIn(native);
  if (program !== undefined) return join(native, program);
  const hasJars = (await filesIn(jars)).includes(`temporal-test-server-${VERSION}.jar`);
  if (!hasJars) return null;
  await writeLauncher(launcher, jars);
  return launcher;
}

function filesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => [] as string[]);
}

/** The SDK starts one program, which becomes Java. The flags make a short life start quickly. */
async function writeLauncher(launcher: string, jars: string): Promise<void> {
  const flags = '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx512m';
  const classPath = join(jars, '*');
  const made = `${launcher}-${randomUUID()}`;
  await mkdir(join(launcher, '..'), { recursive: true });
  await writeFile(
    made,
    `#!/bin/sh\nexec java ${flags} -cp '${classPath}' io.temporal.testserver.TestServer "$@" 2>/dev/null\n`,
  );
  await chmod(made, 0o755);
  await rename(made, launcher);
}

function download({ native }: Places, environment: NodeJS.ProcessEnv): Promise<string> {
  return inWorkshop(native, async (workshop) => {
    const script = join(import.meta.dirname, 'download-test-server.ts');
    const result = await runCommand(process.execPath, [script, workshop], {
      env: environment,
      timeoutMs: DOWNLOAD_LIMIT_MS,
    });
    return result.ok ? null : `download: ${lastLine(result.output) || result.problem}`;
  });
}

function copyFromMaven({ jars }: Places, environment: NodeJS.ProcessEnv): Promise<string> {
  return inWorkshop(jars, async (workshop) => {
    const options = { env: environment, timeoutMs: MAVEN_LIMIT_MS };
    const java = await runCommand('java', ['-version'], options);
    if (!java.ok) return `Java: ${java.problem}`;
    const pom = join(workshop, 'pom.xml');
    await writeFile(pom, POM);
    const goal = [COPY_GOAL, `-DoutputDirectory=${workshop}`];
    const result = await runCommand('mvn', ['-q', '-B', '-f', pom, ...goal], options);
    return result.ok ? null : `Maven: ${result.problem}: ${lastLine(result.output)}`;
  });
}

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>daybell</groupId><artifactId>test-server</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>io.temporal</groupId>
      <artifactId>temporal-test-server</artifactId>
      <version>${VERSION}</version>
    </dependency>
  </dependencies>
</project>
`;

function lastLine(output: string): string {
  return output.trim().split('\n').at(-1) ?? '';
}
