/** The production server is in `integration/temporal-tls`, whose server has both. */
import { useDevServer } from '../support/temporal.ts';
import { describeGuarantees } from './server-guarantees.ts';

describeGuarantees('the dev server', useDevServer);
