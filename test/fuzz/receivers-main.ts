/**
 * `npm run test:fuzz:receivers -- --minutes M --seed S`: both webhook clients meet one receiver after
 * the other, each drawn from a seed. Exit code 0 when every answer counted for what it was and no
 * webhook came twice without a reason, 1 when not, 78 for arguments that are not usable.
 */
import { InvalidOptionsError, parseOptions } from './options.ts';
import { meetReceiver } from './receivers.ts';

const MOST_FAULTS = 20;

try {
  const { seconds, seed } = parseOptions(process.argv.slice(2), () =>
    Math.floor(Math.random() * 2 ** 31),
  );
  say(`Again with: --minutes ${seconds / 60} --seed ${seed}`);
  const until = performance.now() + seconds * 1000;
  const faults: string[] = [];
  let met = 0;
  while (performance.now() < until && faults.length < MOST_FAULTS) {
    const found = await meetReceiver(seed + met);
    for (const fault of found) say(fault);
    faults.push(...found);
    met += 1;
  }
  say(`${met} receivers, ${faults.length === 0 ? 'nothing found' : `${faults.length} faults`}.`);
  process.exitCode = faults.length === 0 ? 0 : 1;
} catch (error) {
  if (!(error instanceof InvalidOptionsError)) throw error;
  say(error.message);
  process.exitCode = 78;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
