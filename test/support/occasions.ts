import { occasionInput, type OccasionInput } from '../../src/users/occasion.ts';
import { bundledTz } from './tz-databases.ts';

/** A daily reminder from 1 January 2026 on, unless the fields, in the API's form, say otherwise. */
export function occasionFields(fields: Readonly<Record<string, unknown>> = {}): OccasionInput {
  const isRule = fields['rrule'] !== undefined;
  const preset = { type: 'reminder', date: '2026-01-01', ...(!isRule && { recurrence: 'daily' }) };
  return occasionInput({ clock: Date.now, tz: bundledTz }).parse({ ...preset, ...fields });
}
