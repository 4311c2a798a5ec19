import type { FieldFault } from '../errors.ts';

/** What a column of a file can hold: a field of the user, or of one occasion of it. */
export const USER_COLUMNS = [
  'userId',
  'externalId',
  'firstName',
  'lastName',
  'dateOfBirth',
  'timezone',
  'deliveryTime',
  'suspended',
  'suspendedReason',
] as const;

export const OCCASION_COLUMNS = [
  'occasionId',
  'occasionType',
  'occasionExternalId',
  'occasionDate',
  'occasionRecurrence',
  'occasionRrule',
  'occasionOffsetDays',
  'occasionDeliveryTime',
  'occasionTimezone',
  'occasionData',
  'occasionSuspended',
  'occasionSuspendedReason',
] as const;

export type ColumnField = (typeof USER_COLUMNS)[number] | (typeof OCCASION_COLUMNS)[number];

/** The column in which the command writes why a row was refused; never read. */
export const REASON_COLUMN = 'refusedBecause';

export interface Columns {
  /** By position; null for a column that is not read. */
  readonly fields: readonly (ColumnField | null)[];
  /** Names of the columns that are not read. */
  readonly ignored: readonly string[];
}

/**
 * Determines what the columns hold, by the names that common exports give them: case, spaces,
 * hyphens and underscores do not matter.
 *
 * @param map names that the caller has assigned; they take precedence
 */
export function readHeader(
  header: readonly string[],
  map: ReadonlyMap<string, ColumnField>,
): Columns | { readonly faults: readonly FieldFault[] } {
  const fields = header.map((name) => map.get(name.trim()) ?? fieldOf(name));
  const faults: FieldFault[] = [];
  for (const name of map.keys()) {
    if (!header.some((column) => column.trim() === name)) {
      faults.push({ field: `map ${name}`, rule: 'must be the name of a column of the file' });
    }
  }
  for (const [at, field] of fields.entries()) {
    const first = fields.indexOf(field);
    if (field === null || first === at) continue;
    const rule = `must not be in the file twice: the columns "${header[first]}" and "${header[at]}" both hold it`;
    faults.push({ field, rule });
  }
  if (!fields.includes('externalId') && !fields.includes('userId')) {
    const found = header.map((name) => name.slice(0, 40)).join(', ');
    const rule = `must be a column of the file, or be assigned one by map; its first line has: ${found.slice(0, 400)}`;
    faults.push({ field: 'externalId', rule });
  }
  if (faults.length > 0) return { faults };
  const ignored = header.filter((name, at) => fields[at] === null && !isReason(name));
  return { fields, ignored: ignored.map((name) => name.trim()) };
}

/** The separator that gives a header the most known columns; a comma if none gives any. */
export function findDelimiter(header: string, map: ReadonlyMap<string, ColumnField>): string {
  const counted = DELIMITERS.map((delimiter) => {
    const names = header.split(delimiter).map((name) => name.trim().replaceAll(/^"|"$/g, ''));
    const known = names.filter((name) => map.has(name) || fieldOf(name) !== null).length;
    return { delimiter, known, columns: names.length };
  });
  const [best] = counted.toSorted((a, b) => b.known - a.known || b.columns - a.columns);
  return best?.delimiter ?? ',';
}

/** How spreadsheets in different countries separate columns. */
export const DELIMITERS = [',', ';', '\t', '|'] as const;

function fieldOf(name: string): ColumnField | null {
  return NAMES.get(plain(name)) ?? null;
}

function isReason(name: string): boolean {
  return plain(name) === plain(REASON_COLUMN);
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[\s_-]/g, '');
}

/** Our own names, and those in exports of CRMs, address books and Excel, in some languages. */
const ALIASES: Readonly<Partial<Record<ColumnField, readonly string[]>>> = {
  externalId: ['id', 'contact id', 'customer id', 'record id', 'member id', 'Kundennummer'],
  firstName: ['first', 'given name', 'forename', 'Vorname', 'prénom', 'nombre', 'FNAME'],
  lastName: ['last', 'family name', 'surname', 'Nachname', 'nom', 'apellidos', 'LNAME'],
  dateOfBirth: [
    'birth date',
    'birthday',
    'DOB',
    'born',
    'Geburtsdatum',
    'Geburtstag',
    'date de naissance',
    'fecha de nacimiento',
  ],
  timezone: ['tz', 'tz name', 'IANA time zone', 'Zeitzone', 'fuseau horaire', 'zona horaria'],
  occasionType: ['occasion'],
};

const NAMES: ReadonlyMap<string, ColumnField> = new Map(
  [...USER_COLUMNS, ...OCCASION_COLUMNS].flatMap((field) =>
    [field, ...(ALIASES[field] ?? [])].map((name) => [plain(name), field] as const),
  ),
);
