/** docs/settings.md is generated from the settings' schema: `npm run settings:write`. */
import { expect, test } from 'vitest';
import type { z } from 'zod';

import { destinationSchema, settingsSchema } from '../../src/platform/settings/settings-schema.ts';

const INTRODUCTION = `# Settings

<!-- Written from the settings' schema by \`npm run settings:write\`: edit the descriptions there. -->

Settings are environment variables. Each process checks all of them at start, names every fault and exits with 78. An empty
variable counts as unset. Durations are written \`15s\`, \`5m\`, \`72h\` or \`30d\`. \`all\` means \`api\`, \`scheduler\`,
\`dispatcher\`, \`worker\`, \`migrate\` and the commands; \`npm start\` and \`npm run stack\` pass everything on to their processes.

Temporal's SDK reads its other variables itself (\`TEMPORAL_NAMESPACE\`, \`TEMPORAL_API_KEY\`, \`TEMPORAL_TLS…\`, profiles): see
[TLS and Temporal Cloud](deployment.md#to-temporal). So does OpenTelemetry's exporter (\`OTEL_EXPORTER_OTLP_HEADERS\` and the like).

| setting | default | values | used by | what it does |
| --- | --- | --- | --- | --- |
`;

test('docs/settings.md is what the schema generates', async () => {
  const rows = Object.entries({ ...settingsSchema.shape, ...destinationSchema.shape }).map(
    ([name, schema]) => {
      const { usedBy, values, description } = schema.meta() ?? {};
      const cells = [
        `\`${name}\``,
        presetOf(schema),
        values ?? ruleOf(schema),
        usedBy,
        description,
      ];
      expect(cells.filter((cell) => typeof cell !== 'string')).toEqual([]);
      return `| ${cells.join(' | ')} |\n`;
    },
  );
  await expect(INTRODUCTION + rows.join('')).toMatchFileSnapshot('../../docs/settings.md');
});

/** In the form of an environment variable. */
function presetOf(schema: z.core.$ZodType): string {
  const { def } = schema._zod as z.core.$ZodTypes['_zod'];
  if (def.type === 'pipe') return presetOf(def.in);
  return def.type === 'default' ? [def.defaultValue].flat().join(', ') : '';
}

/** What the schema says about a text that is never valid. */
function ruleOf(schema: z.ZodType): string | undefined {
  const rule = schema.safeParse('\n').error?.issues[0]?.message;
  return rule?.replace(/^must (be|have) (an? )?/, '').replace(/ such as 15s.*?,/, '');
}
