/**
 * Whether the process that serves METRICS_PORT here has all that it needs: exit code 0, or else 1
 * with what is missing. The health check of its container, which has nothing but Node.
 */
import { loadSettings, requireSettings } from '../config/settings.ts';

/** Shorter than whoever asks waits. */
const LIMIT_MS = 4_000;

const { METRICS_PORT } = requireSettings(loadSettings(), 'METRICS_PORT');
try {
  const response = await fetch(`http://127.0.0.1:${METRICS_PORT}/readyz`, {
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  process.stdout.write(`${await response.text()}\n`);
  process.exitCode = response.ok ? 0 : 1;
} catch (error) {
  process.stdout.write(`it does not answer: ${String(error)}\n`);
  process.exitCode = 1;
}
