/**
 * Whether the process that serves METRICS_PORT on this machine has all that it needs: exit code 0,
 * or 1 with what is missing; 78 when settings are not usable. The health check of a container,
 * which has nothing but Node.
 */
import { InvalidSettingsError, loadSettings, requireSettings } from '../config/settings.ts';
import { EXIT } from './exit.ts';

/** Shorter than whoever asks waits. */
const LIMIT_MS = 4_000;

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const { METRICS_PORT } = requireSettings(loadSettings(), 'METRICS_PORT');
    return await ask(`http://127.0.0.1:${METRICS_PORT}/readyz`);
  } catch (error) {
    if (!(error instanceof InvalidSettingsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return EXIT.config;
  }
}

async function ask(url: string): Promise<number> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(LIMIT_MS) });
    process.stdout.write(`${await response.text()}\n`);
    return response.ok ? 0 : EXIT.failed;
  } catch (error) {
    process.stdout.write(`It does not answer: ${String(error)}\n`);
    return EXIT.failed;
  }
}
