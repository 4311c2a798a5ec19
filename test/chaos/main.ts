/**
 * `npm run test:chaos -- --seed S --minutes M --users N --kills K --temporal dev|postgres
 * --temporal-nodes N`: a Daybell of its own under faults, judged from the outside. Exit code 0 when
 * nothing was lost and nothing was sent for no reason, 1 when something was or when it was not
 * killed as often as it had to be, 78 for arguments that are not usable.
 */
import { InvalidOptionsError, parseOptions } from './options.ts';
import { isProof, runChaos } from './run.ts';

const startedAt = Date.now();

function say(line: string): void {
  const seconds = Math.round((Date.now() - startedAt) / 1000);
  process.stderr.write(`${String(seconds).padStart(4)} s  ${line}\n`);
}

try {
  const options = parseOptions(process.argv.slice(2), () => Math.floor(Math.random() * 2 ** 31));
  const { seed, minutes, users, kills, temporal, temporalNodes } = options;
  const size = `--minutes ${minutes} --users ${users} --kills ${kills}`;
  const nodes = temporalNodes === 1 ? '' : ` --temporal-nodes ${temporalNodes}`;
  say(`Again with: --seed ${seed} ${size} --temporal ${temporal}${nodes}`);
  const result = await runChaos(options, say);
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  const { breaches, shortfalls } = result;
  for (const line of shortfalls) say(`Proves too little: ${line}.`);
  say(breaches.length === 0 ? 'Nothing is missing.' : `${breaches.length} breaches, seed ${seed}.`);
  process.exitCode = isProof(result) ? 0 : 1;
} catch (error) {
  if (!(error instanceof InvalidOptionsError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 78;
}
