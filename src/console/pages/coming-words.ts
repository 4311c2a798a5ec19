/** Why so many are due at once. */
import { count } from '../markup.ts';
import type { Forecast } from '../api-types.ts';

/** Below ten, or a tenth of the peak, nothing is explained by it. */
const FEWEST = 10;

/** What the lint of an import would say of a peak's dates of birth; null if it would say nothing. */
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
  return `Of the ${count(due)} at ${at}, ${causes.join(', and ')}: is it what your system writes for a date that it does not know? All of them will be sent.`;
}
