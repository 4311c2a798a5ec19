import { validate as isUuid } from 'uuid';
import { z } from 'zod';

import { type OccasionFields, occasionFields, typeField } from '../occasion.ts';
import type { TzDatabase } from '../../time/tz-database.ts';
import { type FieldContext, timezoneFault, type UserFields, userFields } from '../user.ts';
import type { DateReading } from './dates.ts';
import type { FileFields, FileRow, OpenFile, RowFault } from './file-rows.ts';

/** A row that breaks no rule by itself; its values for the user and for occasions are valid. */
export interface CheckedRow {
  readonly line: number;
  readonly user: CheckedUser;
  readonly occasions: readonly CheckedOccasion[];
}

export interface CheckedUser {
  /** Daybell's own; null if the file has none. */
  readonly id: string | null;
  readonly externalId: string | null;
  /** Fields that the file has. */
  readonly fields: Partial<Omit<UserFields, 'externalId'>>;
}

export interface CheckedOccasion {
  readonly id: string | null;
  readonly type: string;
  readonly externalId: string | null;
  readonly fields: Partial<Omit<OccasionFields, 'externalId' | 'type'>>;
  /** Whether an earlier row had the same occasion. */
  readonly isRepeated?: boolean;
  /** The file's name for a field of it. */
  readonly nameOf: (field: string) => string;
}

export interface RefusedRow {
  readonly line: number;
  /** Each with the value from the file, shortened. */
  readonly faults: readonly RowFault[];
  /** The ids that identify the row's user; empty if none can be read. */
  readonly userKeys: readonly string[];
  /** A date that would be one with day and month swapped. */
  readonly hasSwappedDate?: boolean;
}

export interface RowRules extends FieldContext {
  readonly readDate: (text: string) => DateReading;
  /** For users without one in the file. */
  readonly timezone: string | null;
}

/** The ids that identify a user in the file: the caller's own first. */
export function userKeysOf({ id, externalId }: Pick<CheckedUser, 'id' | 'externalId'>): string[] {
  return [
    ...(externalId === null ? [] : [`external ${externalId}`]),
    ...(id === null ? [] : [`id ${id}`]),
  ];
}

/** Returns a function that checks the rows of a file one by one, by the rules of users and occasions. */
export function createRowCheck(
  rules: RowRules,
  { occasionField }: Pick<OpenFile, 'occasionField'>,
) {
  const { readDate, tz } = rules;
  const findZoneFault = createZoneFault(tz);
  const idField = z.string('must be a string').refine(isUuid, "must be a UUID, Daybell's own id");
  const userSchema = z.strictObject({ userId: idField.nullable(), ...userFields(rules) }).partial();
  const occasionSchema = z
    .strictObject({ occasionId: idField.nullable(), type: typeField(), ...occasionFields(rules) })
    .partial();

  return (row: FileRow): CheckedRow | RefusedRow => {
    const faults: RowFault[] = [...row.faults];
    let hasSwappedDate = false;
    const check = <Fields>(
      schema: z.ZodType<Fields>,
      fields: FileFields,
      dateField: string,
      nameOf: (field: string) => string,
    ): Fields | null => {
      const before = faults.length;
      const values: Record<string, unknown> = { ...fields };
      const refuse = (field: string, rule: string): void => {
        faults.push({ field: nameOf(field), rule, value: fields[field] });
        delete values[field];
      };
      const { [dateField]: date, timezone } = fields;
      const reading = typeof date === 'string' ? readDate(date) : null;
      if (reading?.rule !== undefined) {
        hasSwappedDate ||= reading.isSwapped;
        refuse(dateField, reading.rule);
      } else if (reading !== null) values[dateField] = reading.date;
      const zoneRule = typeof timezone === 'string' ? findZoneFault(timezone) : null;
      if (zoneRule !== null) refuse('timezone', zoneRule);

      const result = schema.safeParse(values);
      if (!result.success) faults.push(...faultsOf(result.error, values, nameOf));
      return result.success && faults.length === before ? result.data : null;
    };

    const ofUser = withTimezone(row.user, rules.timezone);
    const user = check(userSchema, ofUser, 'dateOfBirth', (field) => field);
    const occasions = row.occasions.map((fields, index) => {
      const nameOf = (field: string) => occasionField(field, index);
      const checked = check(occasionSchema, fields, 'date', nameOf);
      if (checked === null) return null;
      const { occasionId = null, type, externalId = null, ...others } = checked;
      // Absent fields are absent: JSON has no undefined.
      const fieldsGiven = others as CheckedOccasion['fields'];
      if (type !== undefined)
        return { id: plain(occasionId), type, externalId, fields: fieldsGiven, nameOf };
      faults.push({ field: nameOf('type'), rule: 'is required' });
      return null;
    });

    // An id that breaks a rule identifies no user.
    const given = (field: 'externalId' | 'userId'): string | null =>
      faults.some((fault) => fault.field === field) ? null : textOr(row.user[field]);
    const externalId = given('externalId');
    const id = plain(given('userId'));
    const userKeys = userKeysOf({ id, externalId });
    if (userKeys.length === 0 && faults.length === 0) {
      faults.push({ field: 'externalId', rule: 'is required' });
    }
    if (user === null || faults.length > 0) {
      return { line: row.line, faults: faults.map(cut), userKeys, hasSwappedDate };
    }
    const { userId: _id, externalId: _externalId, ...fields } = user;
    return {
      line: row.line,
      user: { id, externalId, fields: fields as CheckedUser['fields'] },
      occasions: occasions.filter((occasion) => occasion !== null),
    };
  };
}

/** Enough for the fault's line, of a value that may have 10 MB. */
const VALUE_MAX_LENGTH = 100;

function cut(fault: RowFault): RowFault {
  if (fault.value === undefined) return fault;
  const text = typeof fault.value === 'string' ? fault.value : JSON.stringify(fault.value);
  const isLong = text.length > VALUE_MAX_LENGTH;
  return { ...fault, value: isLong ? `${text.slice(0, VALUE_MAX_LENGTH).toWellFormed()}…` : text };
}

/**
 * Suggesting the zones that may be meant takes a millisecond, and a file may have a million unknown
 * ones.
 */
const ZONES_COMPARED = 100;
const ZONE_MAX_LENGTH = 64;

function createZoneFault(tz: TzDatabase): (zone: string) => string | null {
  const faults = new Map<string, string | null>();
  return (zone) => {
    if (tz.isKnown(zone)) return null;
    const known = faults.get(zone);
    if (known !== undefined) return known;
    if (faults.size >= ZONES_COMPARED || zone.length > ZONE_MAX_LENGTH) {
      return 'must be an IANA time zone known to this installation, such as Europe/Berlin';
    }
    const fault = timezoneFault(zone, tz);
    faults.set(zone, fault);
    return fault;
  };
}

function withTimezone(fields: FileFields, timezone: string | null): FileFields {
  return fields['timezone'] === null && timezone !== null ? { ...fields, timezone } : fields;
}

function faultsOf(
  error: z.ZodError,
  values: FileFields,
  nameOf: (field: string) => string,
): RowFault[] {
  return error.issues.flatMap((issue): RowFault[] => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ field: nameOf(key), rule: 'is not a field here' }));
    }
    const [field = ''] = issue.path.map(String);
    const value = values[field];
    // An empty cell in a column whose field must have a value.
    const rule = value === null ? 'is required' : issue.message;
    return [{ field: nameOf(field), rule, ...(value !== null && { value }) }];
  });
}

/** As PostgreSQL writes it. */
function plain(uuid: string | null): string | null {
  return uuid === null ? null : uuid.toLowerCase();
}

function textOr(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
