/** `npm run stack`: what docker-compose.temporal.yml runs, natively, from one command. */
import { runInForeground } from '../foreground.ts';
import { stackSettings } from './settings.ts';
import { startStack } from './start.ts';

await runInForeground({ startAll: startStack, settingsOf: stackSettings });
