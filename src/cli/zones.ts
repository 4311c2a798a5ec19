/**
 * The command `npm run zones`: shows what the tz data in use changes. Prints, as a table, where
 * Node's own tz database and the bundled one (or that of the file in ZONE_DATA) differ within two
 * years from today, or from the given day: `npm run zones -- 2026-11-01`.
 */
import { loadSettings } from '../platform/settings/settings.ts';
import { dateToMs, formatCalendarDate, parseCalendarDate } from '../time/calendar-date.ts';
import { findDifferences, type TzDifference } from '../time/tz-differences.ts';
import { loadBundledTzDatabase, loadTzDatabase } from '../platform/load-tz-database.ts';
import { createNodeTzDatabase } from '../time/node-tz-database.ts';

const [, , firstDay = formatCalendarDate(Date.now())] = process.argv;
const first = parseCalendarDate(firstDay);
if (first === null) throw new RangeError(`${firstDay} is not a day, as YYYY-MM-DD`);
const period = { from: dateToMs(first), until: dateToMs({ ...first, year: first.year + 2 }) };

const { ZONE_DATA } = loadSettings();
const nodeTz = createNodeTzDatabase();
const otherTz = loadTzDatabase(['newest', 'node'].includes(ZONE_DATA) ? 'bundled' : ZONE_DATA);
const names = [...loadBundledTzDatabase().zones.keys()].sort();

const rows = findDifferences(nodeTz, otherTz, names, period);
const table = [
  `| zone | from | until | by ${nodeTz.version} (Node) | by ${otherTz.version} |`,
  '| --- | --- | --- | --- | --- |',
  ...rows.map(line),
].join('\n');
process.stdout.write(
  `${names.length} zones and links from ${firstDay}, for two years:\n\n${table}\n`,
);

function line({ timezone, from, until, offsets }: TzDifference): string {
  const [ofNode, ofOther] = offsets.map(hours);
  return `| ${timezone} | ${edge(from)} | ${edge(until)} | ${ofNode} | ${ofOther} |`;
}

/** Empty at an end of the period: the difference continues beyond it. */
function edge(at: number): string {
  const isEnd = at === period.from || at === period.until;
  return isEnd ? '…' : `${new Date(at).toISOString().slice(0, 16)}Z`;
}

function hours(offsetMs: number): string {
  const size = new Date(Math.abs(offsetMs)).toISOString().slice(11, 16);
  return `${offsetMs < 0 ? '-' : '+'}${size}`;
}
