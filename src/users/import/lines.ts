import { isUtf8 } from 'node:buffer';

/** A line of a file, without its terminator. */
export interface Line {
  /** From 1. */
  readonly number: number;
  readonly text: string;
  /** The rule that its bytes break, in words that follow "the line"; null if they break none. */
  readonly fault: string | null;
  /** Bytes from the beginning of the file to the end of this line. */
  readonly end: number;
}

/** Thrown when a file as a whole is not in its stated encoding. */
export class UnreadableFileError extends Error {
  override readonly name = 'UnreadableFileError';
}

/**
 * Splits a file into lines that end in LF, CRLF or CR, some at a time. Memory is bounded: of a line
 * over `maxBytes`, only the fact that it was too long is kept.
 *
 * @param charset as named by Content-Type; null is UTF-8. A byte order mark of UTF-16 takes
 * precedence
 * @throws UnreadableFileError for an unknown charset, and for invalid UTF-16
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  charset: string | null,
  maxBytes: number,
): AsyncGenerator<readonly Line[], undefined> {
  const splitter = createSplitter(maxBytes);
  for await (const { bytes, read } of toUtf8(chunks, charset)) {
    const lines = splitter.push(bytes, read);
    if (lines.length > 0) yield lines;
  }
  yield splitter.end();
}

const LF = 10;
const CR = 13;

function createSplitter(maxBytes: number) {
  let number = 0;
  let open: Buffer[] = [];
  let openBytes = 0;
  let read = 0;
  let isAfterCr = false;

  /** Adds to the open line; what exceeds the limit is counted and dropped. */
  const add = (part: Buffer): void => {
    openBytes += part.length;
    if (openBytes <= maxBytes) open.push(part);
  };
  const close = (): Line => {
    number += 1;
    const isTooLong = openBytes > maxBytes;
    const bytes = isTooLong ? null : open.length === 1 && open[0] ? open[0] : Buffer.concat(open);
    open = [];
    openBytes = 0;
    if (bytes === null) {
      return { number, text: '', end: read, fault: `must have at most ${maxBytes} bytes` };
    }
    if (!isUtf8(bytes)) return { number, text: '', end: read, fault: NOT_UTF8 };
    return { number, text: bytes.toString(), end: read, fault: bytes.includes(0) ? NUL : null };
  };

  return {
    /** @param readUpTo bytes of the file up to the end of this part */
    push(part: Buffer, readUpTo: number): Line[] {
      read = readUpTo;
      const lines: Line[] = [];
      let from = 0;
      for (let at = 0; at < part.length; at += 1) {
        const byte = part[at];
        if (byte !== LF && byte !== CR) continue;
        const endsCrLf = byte === LF && at === from && (at > 0 ? part[at - 1] === CR : isAfterCr);
        if (!endsCrLf) {
          add(part.subarray(from, at));
          lines.push(close());
        }
        from = at + 1;
      }
      if (from < part.length) add(part.subarray(from));
      if (part.length > 0) isAfterCr = part.at(-1) === CR;
      return lines;
    },
    /** The text after the last terminator, if any. */
    end: (): Line[] => (openBytes === 0 ? [] : [close()]),
  };
}

const NOT_UTF8 =
  'is not in UTF-8: save the file as UTF-8, or name its encoding, such as charset=windows-1252';
const NUL =
  'must not contain NUL: is the file in UTF-16 without a byte order mark? Name its encoding then, charset=utf-16le';

type Decoder = InstanceType<typeof TextDecoder>;

interface Utf8Part {
  readonly bytes: Buffer;
  /** Bytes of the file that were read so far. */
  readonly read: number;
}

const BOM_BYTES = 3;

async function* toUtf8(
  chunks: AsyncIterable<Uint8Array>,
  charset: string | null,
): AsyncGenerator<Utf8Part, undefined> {
  let read = 0;
  let begin: Buffer | null = Buffer.alloc(0);
  let decoder: Decoder | null = null;
  for await (const chunk of chunks) {
    read += chunk.length;
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    if (begin !== null) {
      // A byte order mark may arrive in parts.
      begin = Buffer.concat([begin, bytes]);
      if (begin.length < BOM_BYTES) continue;
      decoder = decoderOf(begin, charset);
      bytes = withoutBom(begin);
      begin = null;
    }
    yield { bytes: decoder === null ? bytes : decode(decoder, bytes), read };
  }
  if (begin !== null) {
    decoder = decoderOf(begin, charset);
    yield { bytes: decoder === null ? begin : decode(decoder, begin), read };
  }
  if (decoder !== null) yield { bytes: decode(decoder), read };
}

/** Null for UTF-8, whose lines are checked one by one. */
function decoderOf(begin: Buffer, charset: string | null): Decoder | null {
  const byMark =
    begin[0] === 0xff && begin[1] === 0xfe
      ? 'utf-16le'
      : begin[0] === 0xfe && begin[1] === 0xff
        ? 'utf-16be'
        : null;
  const label = byMark ?? charset ?? 'utf-8';
  try {
    const decoder = new TextDecoder(label, { fatal: true });
    return decoder.encoding === 'utf-8' ? null : decoder;
  } catch (error) {
    throw new UnreadableFileError(`${label} is not a known encoding.`, {
      cause: error,
    });
  }
}

/** Removes UTF-8's byte order mark; UTF-16's is dropped by its decoder. */
function withoutBom(bytes: Buffer): Buffer {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

function decode(decoder: Decoder, bytes?: Buffer): Buffer {
  try {
    return Buffer.from(decoder.decode(bytes, { stream: bytes !== undefined }));
  } catch (error) {
    throw new UnreadableFileError(`The file is not in ${decoder.encoding}.`, { cause: error });
  }
}
