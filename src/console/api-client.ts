/** How pages use the API: its own routes, in this process, with the visitor's rights. */
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

import type { ConsoleDeps, ConsoleEnv } from './env.ts';
import { type FormFault, NO_PAGE, PageError } from './page-error.ts';

type Ctx = Context<ConsoleEnv>;

export interface Ask {
  /** Parameters that are undefined, null or empty are left out, as forms send fields left blank. */
  readonly query?:
    | Readonly<Record<string, string | number | boolean | null | undefined>>
    | undefined;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Streamed instead of a body. */
  readonly file?: { readonly content: ReadableStream<Uint8Array>; readonly type: string };
  readonly headers?: Readonly<Record<string, string>>;
}

/** Segments of a path, escaped. @throws PageError for one that would lead to another route */
export function path(strings: TemplateStringsArray, ...values: readonly string[]): string {
  if (values.some((value) => value === '.' || value === '..')) throw NO_PAGE;
  return String.raw({ raw: strings }, ...values.map(encodeURIComponent));
}

export type ApiClient = ReturnType<typeof createApiClient>;

/** Each function throws a {@link PageError} that says what the API's problem document says. */
export function createApiClient({ fetchApi }: Pick<ConsoleDeps, 'fetchApi'>) {
  async function request(c: Ctx, method: string, path: string, ask: Ask = {}): Promise<Response> {
    const { query = {}, body, file, headers = {} } = ask;
    // Any host works: the request does not leave the process.
    const url = new URL(path, 'http://localhost');
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== null && value !== '') {
        url.searchParams.set(name, String(value));
      }
    }
    const type = file?.type ?? (body === undefined ? null : 'application/json');
    const made = new Request(url, {
      method,
      headers: {
        ...(type !== null && { 'Content-Type': type }),
        ...headers,
        'X-Request-Id': c.get('requestId'),
      },
      body: file?.content ?? (body === undefined ? null : JSON.stringify(body)),
      duplex: 'half',
      signal: c.req.raw.signal,
    });
    const response = await fetchApi(made, c.get('visitor').key);
    if (response.ok || response.status === 304) return response;
    throw await problemPage(response);
  }

  async function send<Body>(c: Ctx, method: string, path: string, ask?: Ask) {
    const response = await request(c, method, path, ask);
    const text = await response.text();
    const body = (text === '' ? null : JSON.parse(text)) as Body;
    return { status: response.status, headers: response.headers, body };
  }

  return {
    /** Returns the body of a successful GET. */
    async get<Body>(c: Ctx, path: string, query?: Ask['query']): Promise<Body> {
      return (await send<Body>(c, 'GET', path, { query })).body;
    },
    /** The same; null for 404. */
    async find<Body>(c: Ctx, path: string, query?: Ask['query']): Promise<Body | null> {
      try {
        return (await send<Body>(c, 'GET', path, { query })).body;
      } catch (error) {
        if (error instanceof PageError && error.status === 404) return null;
        throw error;
      }
    },
    /** For a change, or when the response's headers matter. */
    send,
    /** For streamed responses. */
    stream: request,
  };
}

interface ProblemBody {
  readonly type?: string;
  readonly title?: string;
  readonly detail?: string;
  readonly errors?: readonly FormFault[];
}

async function problemPage(response: Response): Promise<PageError> {
  const problem = (await response.json().catch(() => ({}))) as ProblemBody;
  return new PageError(
    response.status as ContentfulStatusCode,
    problem.title ?? 'The console cannot read the answer of the API',
    problem.detail ?? '',
    { code: problem.type?.split(':').at(-1) ?? null, faults: problem.errors ?? [] },
  );
}
