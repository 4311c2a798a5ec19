/** Types of the API's responses, from its own schemas. */
import type { z } from 'zod';

import type { ImportLineSchema } from '../api/schemas/imports.ts';
import type { OccasionSchema } from '../api/schemas/occasions.ts';
import type {
  OccurrenceRecordSchema,
  OccurrenceSummarySchema,
} from '../api/schemas/occurrences.ts';
import type { DeliveriesSchema } from '../api/routes/deliveries.ts';
import type { FailuresSchema } from '../api/routes/failures.ts';
import type { HistorySchema } from '../api/routes/history.ts';
import type { EntrySchema } from '../api/routes/operator-log.ts';
import type { ProgressSchema } from '../api/routes/redelivery.ts';
import type { StatusSchema } from '../api/routes/status.ts';
import type { UserSchema } from '../api/schemas/users.ts';
import type { ForecastSchema } from '../forecast/schema.ts';

export type User = z.output<typeof UserSchema>;
export type Occasion = z.output<typeof OccasionSchema>;
export type OccurrenceRecord = z.output<typeof OccurrenceRecordSchema>;
export type OccurrenceSummary = z.output<typeof OccurrenceSummarySchema>;
export type Status = z.output<typeof StatusSchema>;
export type Forecast = z.output<typeof ForecastSchema>;
export type Deliveries = z.output<typeof DeliveriesSchema>;
export type Failures = z.output<typeof FailuresSchema>;
export type RedeliveryProgress = z.output<typeof ProgressSchema>;
export type UserHistory = z.output<typeof HistorySchema>;
export type LogEntry = z.output<typeof EntrySchema>;
export type ImportLine = z.output<typeof ImportLineSchema>;
