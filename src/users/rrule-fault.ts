/** The rule that a recurrence rule breaks, or null. */
export function rruleFault(rrule: string, _date: string): string | null {
  return /^FREQ=(?:DAILY|WEEKLY|MONTHLY|YEARLY)(?:;[A-Z]+=[^;=]+)*$/i.test(rrule)
    ? null
    : 'must be a recurrence rule of RFC 5545, such as FREQ=MONTHLY;BYDAY=-1FR';
}
