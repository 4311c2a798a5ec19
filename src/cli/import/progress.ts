/** What a terminal shows of an import: a bar while it runs, then the result. */
import type { ImportLine } from '../../users/import/import.ts';

type Progress = Extract<ImportLine, { type: 'progress' }>;
type Summary = Extract<ImportLine, { type: 'summary' }>;

export interface ProgressOptions {
  /** Of the file. */
  readonly bytes: number;
  readonly write: (text: string) => void;
  /** Whether a line can be overwritten. */
  readonly isTerminal: boolean;
  /** Monotonic, in ms. */
  readonly clock: () => number;
}

const BAR_WIDTH = 24;
const REDRAW_EVERY_MS = 200;
/** Without a terminal, as in a log. */
const LINE_EVERY_MS = 10_000;

export function createProgressBar({ bytes, write, isTerminal, clock }: ProgressOptions) {
  const startedAt = clock();
  let shownAt = -Infinity;
  return {
    show(progress: Progress): void {
      const now = clock();
      if (now - shownAt < (isTerminal ? REDRAW_EVERY_MS : LINE_EVERY_MS)) return;
      shownAt = now;
      const line = progressLine(progress, bytes, now - startedAt);
      write(isTerminal ? `\r\u001B[K${line}` : `${line}\n`);
    },
    /** Makes room for the next output. */
    end: (): void => write(isTerminal ? '\r\u001B[K' : ''),
  };
}

/** The bar counts bytes, whose total is known; the rate counts rows, which are what takes time. */
export function progressLine(progress: Progress, bytes: number, elapsedMs: number): string {
  const share = bytes === 0 ? 1 : Math.min(1, progress.bytes / bytes);
  const filled = Math.round(share * BAR_WIDTH);
  const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`;
  const seconds = Math.max(elapsedMs / 1_000, 0.001);
  const left = share === 0 ? '' : `, ${duration((seconds * (1 - share)) / share)} left`;
  const refused = progress.refused === 0 ? '' : `, ${count(progress.refused)} refused`;
  return `${bar} ${Math.floor(share * 100)} %  ${counted(progress.rows, 'row')}, ${count(Math.round(progress.rows / seconds))}/s${left}${refused}`;
}

export function summaryText(summary: Summary, elapsedMs: number): string {
  const { users, occasions, refused, ended, dryRun, sync, ignoredColumns, lint } = summary;
  const seconds = Math.max(elapsedMs / 1_000, 0.001);
  const rate = count(Math.round(summary.rows / seconds));
  const lines = [
    `${counted(summary.rows, 'row')} in ${duration(seconds)} (${rate}/s)${dryRun ? ', nothing stored: a dry run' : ''}`,
    `Users      ${tally(users)}`,
    `Occasions  ${tally(occasions)}`,
    `Refused    ${counted(refused, 'row')}`,
  ];
  if (ended > 0) {
    lines.push(
      `${count(ended)} of the occasions ${ended === 1 ? 'has' : 'have'} no future occurrence.`,
    );
  }
  if (sync !== null) {
    lines.push(
      sync.refused ??
        `Deleted ${count(sync.deleted)} of ${counted(sync.missing, 'user')} not in the file.`,
    );
  }
  if (ignoredColumns.length > 0)
    lines.push(`Columns that were not read: ${ignoredColumns.join(', ')}`);
  for (const { message, lines: at } of lint) {
    lines.push(`Check this: ${message}${at.length > 0 ? ` Lines ${at.join(', ')} …` : ''}`);
  }
  return `${lines.join('\n')}\n`;
}

function tally({ created, updated, unchanged }: Summary['users']): string {
  return `${count(created)} created, ${count(updated)} updated, ${count(unchanged)} unchanged`;
}

function counted(number: number, thing: string): string {
  return `${count(number)} ${thing}${number === 1 ? '' : 's'}`;
}

function count(number: number): string {
  return number.toLocaleString('en');
}

function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
