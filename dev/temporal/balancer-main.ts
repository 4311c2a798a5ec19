/** The process `temporal-balancer`. Arguments: the port to listen on, and the frontends' ports. */
import { startBalancer } from './balancer.ts';

const [port = 0, ...frontends] = process.argv.slice(2).map(Number);
await startBalancer(port, frontends);
