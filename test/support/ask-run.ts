import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

import { inject } from 'vitest';

/**
 * Asks the run for what it has for all (`run-offer.ts`): an address, or the path of a program.
 * Not by fetch, which gives up after five minutes: a program may have to be built first.
 */
export async function askRun(what: string): Promise<string> {
  const [response] = (await once(get(`${inject('runOfferUrl')}/${what}`), 'response')) as [
    IncomingMessage,
  ];
  const answer = await text(response);
  if (response.statusCode !== 200) throw new Error(answer);
  return answer;
}
