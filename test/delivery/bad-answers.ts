/** What receivers do wrong, in the responses of a real one. */
import type { ServerResponse } from 'node:http';

export type Answer = (response: ServerResponse) => void;

/** Announces 10 GB, and sends them as fast as they are read. */
export function tenGigabytes(response: ServerResponse): void {
  const chunk = 'x'.repeat(16_384);
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.writeHead(200, { 'content-length': 10 * 1024 ** 3 }).on('drain', more);
  more();
}

/** A status at once, and then a byte of the body now and again, forever. */
export function slowDrip(response: ServerResponse): void {
  response.writeHead(200).write('drip');
  drip(response, () => void response.write('.'));
}

/** The head of the response comes a byte at a time, and never ends. */
export function slowHead(response: ServerResponse): void {
  response.socket?.write('HTTP/1.1 200 OK\r\nx-slow: ');
  drip(response, () => void response.socket?.write('.'));
}

function drip(response: ServerResponse, write: () => void): void {
  const timer = setInterval(write, 50);
  response.once('close', () => clearInterval(timer));
}

export function never(_response: ServerResponse): void {}

/** Half of the head, and a reset. */
export function halfAHead(response: ServerResponse): void {
  const { socket } = response;
  socket?.write('HTTP/1.1 20', () => socket.resetAndDestroy());
}

/** The head, half of the body, and a reset. */
export function halfABody(response: ServerResponse): void {
  response.writeHead(200, { 'content-length': 20 }).write('ten bytes.', () => {
    // So that the half is read before the reset discards what was not read.
    setTimeout(() => response.socket?.resetAndDestroy(), 20);
  });
}

/** Another protocol, which was not requested. */
export function switchProtocols(response: ServerResponse): void {
  response.socket?.write(
    'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello',
  );
}

/** After this many ms. */
export function late(ms: number, answer: Answer): Answer {
  return (response) => void setTimeout(() => answer(response), ms);
}

/** A page of a proxy or landing page. */
export function page(status: number, headers: Record<string, string> = {}): Answer {
  return (response) => {
    response
      .writeHead(status, { 'content-type': 'text/html', ...headers })
      .end(`<html>\r\n<head><title>${status}</title></head>\r\n<body>nginx</body>\r\n</html>\r\n`);
  };
}
