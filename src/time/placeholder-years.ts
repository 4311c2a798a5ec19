/** What address books and systems write for a year that they do not know. */
export const PLACEHOLDER_YEARS: readonly string[] = ['1600', '1604', '1900', '1904', '1970'];
