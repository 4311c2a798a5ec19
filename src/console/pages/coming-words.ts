/** Explains why so many are due at once. */
import { count } from '../markup.ts';
import type { Forecast } from '../api-types.ts';

/** With fewer than ten, or a tenth of the peak, it explains nothing. */
const FEWEST = 10;

/** What an import's lint would say about a peak's dates of birth; null if nothing. */
export function placeholderSentence({
  at,
  due,
  firstOfJanuary,
  placeholderYears,
}: Forecast['peaks'][number]) {
  const explains = (number: number): boolean => number >= FEWEST && number * 10 >= due;
  const causes = [
    ...(explains(firstOfJanuary)
      ? [`${count(firstOfJanuary)} have 1 January as their birthday`]
      : []),
    ...(explains(placeholderYears)
      ? [`${count(placeholderYears)} a year of birth such as 1900 or 1970`]
      : []),
  ];
  if (causes.length === 0) return null;
  return `Of the ${count(due)} at ${at}, ${causes.join(', and ')}: does your system write this for an unknown date? All of them will be sent.`;
}
