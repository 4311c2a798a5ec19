export type Collect = typeof createCollector;

/** How long the first of a batch waits for others, in ms: less than a round trip to the database. */
const WAIT_MS = 4;
const MAX_BATCH = 500;

interface Waiting<Item, Answer> {
  readonly item: Item;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Joins calls that come within a few ms of each other into one, such as the reads of all activities
 * that run at once in a worker. If the joint call fails, each of them fails.
 *
 * @param ask resolves with an answer for each item, in their order
 */
export function createCollector<Item, Answer>(
  ask: (items: readonly Item[]) => Promise<readonly Answer[]>,
): (item: Item) => Promise<Answer> {
  let waiting: Waiting<Item, Answer>[] = [];
  let timer: NodeJS.Timeout | null = null;

  const flush = async (): Promise<void> => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    const batch = waiting;
    waiting = [];
    try {
      const answers = await ask(batch.map(({ item }) => item));
      if (answers.length !== batch.length) throw new Error('not one answer for each item');
      for (const [index, { resolve }] of batch.entries()) resolve(answers[index] as Answer);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (waiting.length === MAX_BATCH) void flush();
      else timer ??= setTimeout(() => void flush(), WAIT_MS);
    });
}
