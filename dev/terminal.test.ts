import { describe, expect, test } from 'vitest';

import { createTerminal } from './terminal.ts';

describe('the terminal', () => {
  test('shows log lines of the least level and above, readable, with their process', () => {
    const { terminal, written } = create('warn');
    terminal.showLine('api', log('info', 'request'));
    terminal.showLine('api', log('warn', 'slow'));
    expect(written).toEqual([expect.stringMatching(/^\d\d:\d\d:\d\d api +WARN: slow {"ms":7}\n$/)]);
  });

  test('shows plain lines of processes, but no lines of servers', () => {
    const { terminal, written } = create('info');
    terminal.showLine('receiver', 'Hey, Ada');
    terminal.showLine('postgres', 'LOG: checkpoint');
    terminal.showLine('postgres', log('error', 'as some servers write it'));
    expect(written).toEqual([expect.stringMatching(/ receiver +Hey, Ada\n$/)]);
  });

  test('shows everything when asked for debug', () => {
    const { terminal, written } = create('debug');
    terminal.showLine('postgres', 'LOG: checkpoint');
    terminal.showLine('api', log('debug', 'detail'));
    expect(written).toHaveLength(2);
  });

  test('shows lines that only look like a log as they are', () => {
    const { terminal, written } = create('warn');
    terminal.showLine('api', '{ not json');
    expect(written[0]).toContain('{ not json');
  });
});

function create(level: string) {
  const written: string[] = [];
  const terminal = createTerminal({
    write: (text) => void written.push(text),
    colours: false,
    levelOf: () => level,
    isServer: (name) => name === 'postgres',
  });
  return { terminal, written };
}

function log(level: string, msg: string): string {
  return JSON.stringify({ level, time: '2026-12-10T09:00:00Z', process: 'api', ms: 7, msg });
}
