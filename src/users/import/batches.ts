/** Groups the rows of a file into batches that one transaction stores. */
import {
  type CheckedOccasion,
  type CheckedRow,
  type CheckedUser,
  type RefusedRow,
  userKeysOf,
} from './check-row.ts';
import type { SeenRows } from './seen-rows.ts';

/** Stored in one transaction, which holds its locks for a fraction of a second. */
const BATCH_USERS = 500;
const BATCH_OCCASIONS = 2_000;

export interface Batch {
  readonly groups: readonly UserGroup[];
  /** The last line and byte of the file that it confirms. */
  readonly line: number;
  readonly end: number;
}

/** Rows of one user that belong together. */
export interface UserGroup {
  readonly key: string;
  readonly user: CheckedUser;
  readonly rows: readonly CheckedRow[];
  /** False if earlier rows of the file had this user. */
  readonly isFirst: boolean;
}

/** Collects rows into batches, those of one user together. */
export function createBatches(seen: SeenRows) {
  let groups = new Map<string, UserGroup & { readonly rows: CheckedRow[] }>();
  let occasions = 0;
  let line = 0;
  let end = 0;
  return {
    /** Returns the reason if a row is refused because it contradicts earlier ones. */
    add(row: CheckedRow): RefusedRow | null {
      const userKeys = userKeysOf(row.user);
      const [key = ''] = userKeys;
      const before = seen.note(`user ${key}`, JSON.stringify(row.user), row.line);
      const refuse = (field: string, rule: string): RefusedRow => ({
        line: row.line,
        faults: [{ field, rule }],
        userKeys,
      });
      if (before !== null && !before.isSame) {
        const field = row.user.externalId === null ? 'userId' : 'externalId';
        return refuse(field, `is that of line ${before.line}, which has other values for the user`);
      }
      const occasionsOfRow: CheckedOccasion[] = [];
      const namesInRow = new Set<string>();
      for (const occasion of row.occasions) {
        const { id, type, externalId, nameOf } = occasion;
        const name = id ?? externalId;
        const content = JSON.stringify(occasion.fields);
        const named = JSON.stringify([key, type, name]);
        const same = seen.note(`occasion ${named}`, content, row.line);
        if (same === null || same.isSame) {
          // Also for a repeated one: the row that had it first may be refused.
          if (!namesInRow.has(named)) {
            occasionsOfRow.push({ ...occasion, isRepeated: same !== null });
          }
          namesInRow.add(named);
        } else {
          const rule =
            name === null
              ? `is required: line ${same.line} has another occasion of type ${type} of the user`
              : `is that of line ${same.line}, which has other values for the occasion`;
          return refuse(nameOf('externalId'), rule);
        }
      }
      const group = groups.get(key) ?? { key, user: row.user, rows: [], isFirst: before === null };
      group.rows.push({ ...row, occasions: occasionsOfRow });
      groups.set(key, group);
      occasions += occasionsOfRow.length;
      return null;
    },
    /** A row has been read, and was added or refused. */
    pass(toLine: number, toByte: number): void {
      line = toLine;
      end = toByte;
    },
    isFull: (): boolean => groups.size >= BATCH_USERS || occasions >= BATCH_OCCASIONS,
    take(): Batch {
      const batch = { groups: [...groups.values()], line, end };
      groups = new Map();
      occasions = 0;
      return batch;
    },
  };
}
