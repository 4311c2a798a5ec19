/** What the API answers, as its own schemas have it. */
import type { z } from 'zod';

import type { OccasionSchema } from '../api/occasion-schemas.ts';
import type { OccurrenceRecordSchema, OccurrenceSummarySchema } from '../api/occurrence-schemas.ts';
import type { UserSchema } from '../api/user-schemas.ts';

export type User = z.output<typeof UserSchema>;
export type Occasion = z.output<typeof OccasionSchema>;
export type OccurrenceRecord = z.output<typeof OccurrenceRecordSchema>;
export type OccurrenceSummary = z.output<typeof OccurrenceSummarySchema>;
