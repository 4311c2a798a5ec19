/** The process of a contender that consists of one program. Argument: its module. */
import type { Engine, EngineAnswer, EngineQuestion, RunningEngine } from './engine.ts';

const [module] = process.argv.slice(2);
if (module === undefined) throw new Error('The module of a contender is missing.');
const { engine } = (await import(module)) as { engine: Engine };
let running: RunningEngine | null = null;

process.on('message', (message) => {
  answer(message as EngineQuestion).catch(fail);
});
process.on('disconnect', () => process.exit(0));
// Ctrl-C is for the bench, which then ends this process.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {
  (running?.stop() ?? Promise.resolve()).then(() => process.exit(0), fail);
});

async function answer(question: EngineQuestion): Promise<void> {
  if (question.type === 'start') {
    running = await engine.start(question.context, (count) => tell({ type: 'loaded', count }));
    tell({ type: 'started' });
  } else {
    tell({ type: 'unfinished', count: (await running?.unfinished()) ?? 0 });
  }
}

function fail(error: unknown): void {
  tell({ type: 'failed', message: error instanceof Error ? (error.stack ?? '') : String(error) });
}

function tell(message: EngineAnswer): void {
  process.send?.(message);
}
