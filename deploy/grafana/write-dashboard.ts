/** `npm run dashboard`: writes dashboards/daybell.json, which is committed, from rows.ts. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { dashboardJson } from './dashboard.ts';

writeFileSync(join(import.meta.dirname, 'dashboards', 'daybell.json'), dashboardJson());
