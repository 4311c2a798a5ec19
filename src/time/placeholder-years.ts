/** The years that address books and systems write for an unknown one. */
export const PLACEHOLDER_YEARS: readonly string[] = ['1600', '1604', '1900', '1904', '1970'];
