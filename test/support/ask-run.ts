import { inject } from 'vitest';

/** Asks the run for what it has for all (`run-offer.ts`): an address, or the path of a program. */
export async function askRun(what: string): Promise<string> {
  const response = await fetch(`${inject('runOfferUrl')}/${what}`);
  const answer = await response.text();
  if (!response.ok) throw new Error(answer);
  return answer;
}
