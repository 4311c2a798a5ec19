import type { AddressInfo } from 'node:net';

import { describe, expect, onTestFinished, test } from 'vitest';

import { createReceiver } from './receiver.ts';

const DUE = Date.parse('2026-12-10T09:00:00Z');
const GREETING = {
  type: 'birthday.due',
  message: "Hey, Ada Lovelace it's your birthday",
  data: {
    timezone: 'Europe/London',
    localDate: '2026-12-10',
    scheduledFor: new Date(DUE).toISOString(),
  },
};

describe('the embedded receiver', () => {
  test('prints a greeting in one line, with how late it came', async () => {
    const { post, printed } = await start(() => DUE + 41);
    expect(await post('birthday:1:2026', GREETING)).toBe(200);
    expect(printed).toEqual([
      "Hey, Ada Lovelace it's your birthday · Europe/London 2026-12-10 · 41 ms after its instant · birthday:1:2026",
    ]);
  });

  test('counts long lateness in seconds', async () => {
    const { post, printed } = await start(() => DUE + 90_000);
    await post('birthday:1:2026', GREETING);
    expect(printed[0]).toContain('90 s after its instant (late)');
  });

  test('takes a message that it has seen for done, and says so', async () => {
    const { post, printed } = await start(() => DUE);
    await post('birthday:1:2026', GREETING);
    expect(await post('birthday:1:2026', GREETING)).toBe(200);
    expect(await post('birthday:2:2026', GREETING)).toBe(200);
    expect(printed[1]).toBe('birthday:1:2026 again: already received, ignored');
    expect(printed[2]).toContain('birthday:2:2026');
  });

  test('takes messages that it does not know', async () => {
    const { post, printed } = await start(() => DUE);
    expect(await post('test:1', { type: 'webhook.test' })).toBe(200);
    expect(printed).toEqual(['test:1 received']);
  });

  test('refuses one without an id, and one that is too large', async () => {
    const { post, printed } = await start(() => DUE);
    expect(await post('', GREETING)).toBe(400);
    expect(await post('birthday:1:2026', { message: 'x'.repeat(70_000) })).toBe(413);
    expect(printed).toEqual([]);
  });

  test('prints nothing that would steer the terminal', async () => {
    const { post, printed } = await start(() => DUE);
    await post('birthday:1:2026', { ...GREETING, message: 'Hey, \u001B[2J' });
    expect(printed[0]).toMatch(/^Hey, \uFFFD\[2J · /);
  });
});

async function start(now: () => number) {
  const printed: string[] = [];
  const server = createReceiver({ print: (line) => void printed.push(line), now });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const post = async (id: string, body: object): Promise<number> => {
    const response = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(id !== '' && { 'webhook-id': id }) },
      body: JSON.stringify(body),
    });
    return response.status;
  };
  return { post, printed };
}
