/** A browser without scripts: it keeps cookies, follows redirects and sends the forms of a page. */
import type { Api } from '../../src/api/deps.ts';

export interface ConsolePage {
  readonly status: number;
  readonly headers: Headers;
  readonly html: string;
  /** The current address, after redirects. */
  readonly path: string;
  /** The visible text, without the markup and with single spaces. */
  readonly text: string;
}

export type ConsoleVisitor = ReturnType<typeof visitConsole>;

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  '#39': "'",
};

export function visitConsole(app: Pick<Api, 'request'>) {
  const cookies = new Map<string, string>();

  async function request(path: string, init: RequestInit = {}, hops = 5): Promise<ConsolePage> {
    const headers = new Headers(init.headers);
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    if (cookie !== '') headers.set('Cookie', cookie);
    const response = await app.request(path, { ...init, headers });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/max-age=0/i.test(line)) cookies.delete(name);
      else cookies.set(name, value);
    }
    const location = response.headers.get('Location');
    if (location !== null && hops > 0) return request(location, {}, hops - 1);
    const html = await response.text();
    return { status: response.status, headers: response.headers, html, path, text: textOf(html) };
  }

  return {
    cookies,
    request,
    open: (path: string) => request(path),

    /** Sends the form of a page with this action, with its hidden fields and these. */
    async submit(
      page: Pick<ConsolePage, 'html'>,
      action: string,
      fields: Readonly<Record<string, string>> = {},
    ): Promise<ConsolePage> {
      const form = [...page.html.matchAll(/<form\b([^>]*)>(.*?)<\/form>/gs)].find(
        ([, attributes = '']) => attributes.includes(`action="${action}"`),
      );
      if (form === undefined) throw new Error(`The page has no form for ${action}.`);
      const hidden = [...(form[2] ?? '').matchAll(/<input\b[^>]*type="hidden"[^>]*>/gs)].map(
        ([input]): [string, string] => [attribute(input, 'name'), attribute(input, 'value')],
      );
      const body = new URLSearchParams([...hidden, ...Object.entries(fields)]);
      return request(plain(action), { method: 'POST', body });
    },
  };
}

function attribute(tag: string, name: string): string {
  return plain(new RegExp(`\\b${name}="([^"]*)"`, 's').exec(tag)?.[1] ?? '');
}

function textOf(html: string): string {
  const body = /<body>(.*)<\/body>/s.exec(html)?.[1] ?? html;
  return plain(body.replaceAll(/<[^>]+>/g, ' '))
    .replaceAll(/\s+/g, ' ')
    .trim();
}

function plain(escaped: string): string {
  return escaped.replaceAll(/&(#?\w+);/g, (whole, name: string) => ENTITIES[name] ?? whole);
}
