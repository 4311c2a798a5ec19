/**
 * `npm run temporal -- <arguments>`: Temporal's CLI, for the server that Daybell uses, from the
 * same settings: TEMPORAL_ADDRESS, Temporal's profile, or the server of `npm start`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { reportError } from '../../src/cli/command.ts';
import { readMachine } from '../../src/platform/settings/machine.ts';
import { loadSettings } from '../../src/platform/settings/settings.ts';
import { loadStandardSettings } from '../../src/platform/temporal/standard-settings.ts';
import { findTemporalBinary } from './binary.ts';

process.exitCode = await runCli(process.argv.slice(2)).catch(reportError);

async function runCli(args: readonly string[]): Promise<number> {
  const { TEMPORAL_ADDRESS, TEMPORAL_DEV_PORT } = loadSettings();
  const { connectionOptions, namespace } = loadStandardSettings();
  const address = TEMPORAL_ADDRESS ?? connectionOptions.address ?? `127.0.0.1:${TEMPORAL_DEV_PORT}`;
  const machine = readMachine();
  const binary = await findTemporalBinary({
    ...machine,
    onProgress: (line) => void process.stderr.write(`daybell: ${line}\n`),
  });
  // Ctrl-C reaches the CLI too, which then ends.
  process.on('SIGINT', () => {});
  const cli = spawn(binary, args, {
    stdio: 'inherit',
    env: { ...machine.environment, TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace },
  });
  const [exitCode] = (await once(cli, 'close')) as [number | null];
  return exitCode ?? 1;
}
