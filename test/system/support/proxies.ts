/** HAProxy and nginx with a configuration of docs/production.md, and Debian's own defaults. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Authority } from '../../support/certificates.ts';
import type { TestProcess } from '../../support/process.ts';
import { debianFile, runDebian } from './debian.ts';
import { blockOf, type Places, withPlaces } from './pages.ts';

const ADMIN_SOCKET = 'admin.sock';

export const PROXIES = ['haproxy', 'nginx'] as const;
export type ProxyName = (typeof PROXIES)[number];

/** What it is in front of, by the heading in docs/production.md. */
export type Sites = Readonly<
  Partial<Record<'A proxy in front of the API' | 'A proxy in front of the receiver', Places>>
>;

export interface Proxy {
  /** The last result of HAProxy's check of its server, such as `L7OK`. */
  checkStatus(): Promise<string | undefined>;
  /** As its unit in Debian does: HAProxy ends at once, nginx when its open requests have ended. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it with the page's configurations of what it is in front of. */
export async function startProxy(
  name: ProxyName,
  authority: Authority,
  sites: Sites,
): Promise<Proxy> {
  const directory = await mkdtemp(join(tmpdir(), `daybell-${name}-`));
  // nginx's workers are another user.
  await chmod(directory, 0o755);
  const { key, cert } = authority.issue();
  const certificate = join(directory, 'server.pem');
  await writeFile(certificate, `${cert}\n${key}\n`);
  const block = Object.entries(sites)
    .map(([heading, places]) => withPlaces(blockOf('production', heading, name), places))
    .join('\n')
    .replaceAll(/\/etc\/(?:haproxy|ssl)\/\w+\.pem/g, certificate);
  const file = join(directory, `${name}.conf`);
  await writeFile(
    file,
    name === 'haproxy' ? haproxyConf(block, directory) : nginxConf(block, directory),
  );
  const args =
    name === 'haproxy'
      ? ['-db', '-f', file]
      : ['-p', directory, '-c', file, '-e', 'stderr', '-g', 'daemon off;'];
  const start = async (): Promise<TestProcess> => {
    const checked = await runDebian(name, [name === 'haproxy' ? '-c' : '-t', ...args]);
    if ((await checked.exited) !== 0) throw new Error(checked.lines.join('\n'));
    return runDebian(name, args);
  };
  let running = await start();
  return {
    async checkStatus() {
      const asked = connect(join(directory, ADMIN_SOCKET));
      asked.end('show stat\n');
      const [head = '', ...lines] = (await text(asked)).trim().split('\n');
      const column = head.split(',').indexOf('check_status');
      const server = lines.map((line) => line.split(',')).find(([, name]) => name === 'api1');
      return server?.[column];
    },
    async restart() {
      await running.stop(name === 'haproxy' ? 'SIGTERM' : 'SIGQUIT');
      // As long as a restart takes.
      await sleep(300);
      running = await start();
    },
    async stop() {
      // Not SIGKILL: nginx's workers would outlive it.
      await running.stop('SIGTERM');
      await rm(directory, { recursive: true });
    },
  };
}

/** Debian's `defaults`, with its time limits; its `global` is about users and places. */
function haproxyConf(block: string, directory: string): string {
  const debian = readFileSync(debianFile('etc/haproxy/haproxy.cfg'), 'utf8');
  const [, defaults = ''] = debian.split(/^defaults$/m);
  const errors = debianFile('etc/haproxy/errors');
  const global = `log stderr local0\nstats socket ${join(directory, ADMIN_SOCKET)}`;
  return `global\n${global}\ndefaults${defaults.replaceAll('/etc/haproxy/errors', errors)}\n${block}`;
}

function nginxConf(block: string, directory: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${join(directory, kind)};`)
    .join('\n');
  return `pid ${join(directory, 'nginx.pid')};\nevents {}\nhttp {\naccess_log off;\n${temporary}\n${block}}\n`;
}
