/** The messages of types in a process that sends. */
import { queryOf } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';
import { builtInMessage } from './built-in.ts';
import { compileMessage, messageFault, type RenderMessage } from './message-template.ts';

/** A change of a message holds for what is sent this long after it. */
const FRESH_MS = 2_000;
/** Types that nothing is sent of any more are forgotten. */
const MOST_KEPT = 1_000;

interface Kept {
  readonly template: string;
  readonly render: RenderMessage;
  readonly readAt: number;
}

/**
 * Messages by type, read in bulk: once for all types of a claim, and again when they are older than
 * two seconds.
 */
export function createMessages(orm: Orm) {
  const query = queryOf(orm);
  let kept = new Map<string, Kept>();

  const keep = (type: string, template: string | null): void => {
    // One that was written by hand, and is none, sends what is built in rather than nothing.
    const isUsable = template !== null && messageFault(template) === null;
    const used = isUsable ? template : builtInMessage(type);
    const before = kept.get(type);
    const render = before?.template === used ? before.render : compileMessage(used);
    kept.set(type, { template: used, render, readAt: performance.now() });
  };

  return {
    /** Reads those of these types that are not known, or not fresh. */
    async read(types: readonly string[]): Promise<void> {
      const staleBefore = performance.now() - FRESH_MS;
      const stale = [...new Set(types)].filter(
        (type) => (kept.get(type)?.readAt ?? -Infinity) < staleBefore,
      );
      if (stale.length === 0) return;
      const rows = await query<{ type: string; message: string | null }>(FIND, {
        types: JSON.stringify(stale),
      });
      const messages = new Map(rows.map(({ type, message }) => [type, message]));
      if (kept.size > MOST_KEPT) kept = new Map();
      for (const type of stale) keep(type, messages.get(type) ?? null);
    },

    /** The message of a type, as it was last read. */
    of(type: string): RenderMessage {
      if (!kept.has(type)) keep(type, null);
      return kept.get(type)?.render ?? compileMessage(builtInMessage(type));
    },
  };
}

const FIND = `
  select type, message from events.occasion_types
  where type = any (array(select jsonb_array_elements_text(:types::jsonb)))`;
