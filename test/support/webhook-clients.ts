import { createGotClient } from '../../src/delivery/wire/got-client.ts';
import { createHttpClient } from '../../src/delivery/wire/http-client.ts';

/** Both clients: they must handle a receiver in the same way. */
export const CLIENTS = [
  { name: 'node:http', create: createHttpClient },
  { name: 'got', create: createGotClient },
] as const;

export type ClientName = (typeof CLIENTS)[number]['name'];
