import { freePorts } from '../../dev/ports.ts';

/** A port that nothing listens on at this moment. */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}
