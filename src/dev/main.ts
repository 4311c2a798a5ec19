/** `npm start`: Daybell with everything it needs, from one command. */
import { runInForeground } from './foreground.ts';
import { startDaybell } from './start.ts';

await runInForeground({ startAll: startDaybell });
