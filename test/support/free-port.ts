import { freePorts } from '../../dev/ports.ts';

/** A port on which nothing listens at this moment. */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}
