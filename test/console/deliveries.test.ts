/** Deliveries as the console shows and stops them. */
import { expect, test } from 'vitest';

import { useTestApi } from '../support/api.ts';
import { visitConsole } from '../support/console.ts';

const api = useTestApi();

test('are paused with a reason and resumed, and the page says which', async () => {
  const visitor = visitConsole(api.app);
  const before = await visitor.open('http://localhost/console/deliveries');
  expect(before.text).toContain('Sending');
  const reason = '<script>alert(1)</script>';
  const paused = await visitor.submit(before, '/console/deliveries/pause', { reason });
  expect(paused.path).toBe('/console/deliveries');
  expect(paused.text).toContain('Deliveries to default are paused.');
  expect(paused.text).toContain(reason);
  expect(paused.html).not.toContain(reason);
  expect((await api.send('GET', '/v1/deliveries')).body).toMatchObject({ pauseReason: reason });

  const resumed = await visitor.submit(paused, '/console/deliveries/resume');
  expect(resumed.text).toContain('Deliveries to default are resumed.');
  expect((await visitor.open('/console/deliveries')).text).not.toContain('are resumed');
});
