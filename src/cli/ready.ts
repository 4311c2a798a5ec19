/**
 * Checks whether the process that serves METRICS_PORT on this machine is ready: exit code 0, or 1
 * with what is missing; 78 when settings are not usable. For the health check of a container, which
 * has nothing but Node.
 */
import { loadSettings, requireSettings } from '../platform/settings/settings.ts';
import { EXIT, runCommand } from './command.ts';

/** Shorter than the health check's own time limit. */
const LIMIT_MS = 4_000;

await runCommand(async () => {
  const { METRICS_PORT } = requireSettings(loadSettings(), 'METRICS_PORT');
  const url = `http://127.0.0.1:${METRICS_PORT}/readyz`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(LIMIT_MS) });
    process.stdout.write(`${await response.text()}\n`);
    return response.ok ? 0 : EXIT.failed;
  } catch (error) {
    process.stdout.write(`It does not answer: ${String(error)}\n`);
    return EXIT.failed;
  }
});
