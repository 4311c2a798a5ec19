/** The process `temporal-balancer`: where to listen, and the frontends' ports, are its arguments. */
import { startBalancer } from './balancer.ts';

const [port = 0, ...frontends] = process.argv.slice(2).map(Number);
await startBalancer(port, frontends);
