/** The text in what is sent: gunzipped where it is compressed, and refused where it is a binary file. */
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { binaryFormat } from '../../observations/formats.js';
import { ProblemError } from '../problem-error.js';
import { endOfLines } from './text-pieces.js';

const MEBIBYTE = 2 ** 20;
export const TEXT_BYTES_MAX = 2 ** 31;
/** A batch is read at once, and about as much is stored as one piece. */
const BATCH_BYTES = MEBIBYTE;
const GUNZIP_CHUNK_BYTES = 256 * 1024;
/** As many bytes as tell what a file is. */
const HEAD_BYTES = 16;
/** A file that was compressed may be compressed once more on its way. */
const LAYERS_MAX = 2;

type Bytes = AsyncIterable<Buffer>;

/** `layers` of gzip have been taken off or announced so far. */
export async function textOf(source: Bytes, isEncoded: boolean, layers = 0): Promise<Bytes> {
  if (isEncoded) return textOf(gunzipped(source), false, layers + 1);
  const iterator = source[Symbol.asyncIterator]();
  const head = await headOf(iterator);
  const all = putBack(head, iterator);
  if (startsWith(head, '\x1f\x8b') && layers < LAYERS_MAX) return textOf(all, true, layers);
  const refusal = refusalOf(head);
  if (refusal === undefined) return all;
  await iterator.return?.();
  throw refusal;
}

/** Batches that end where lines do, if lines end in them. Throws where the text is too long. */
export async function* batchesOf(text: Bytes): AsyncGenerator<readonly Buffer[]> {
  let batch: Buffer[] = [];
  let bytes = 0;
  let total = 0;
  for await (const chunk of text) {
    total += chunk.length;
    if (total > TEXT_BYTES_MAX) throw textTooLong();
    bytes += chunk.length;
    if (bytes < BATCH_BYTES) {
      batch.push(chunk);
      continue;
    }
    const end = endOfLines(chunk) || chunk.length;
    yield [...batch, chunk.subarray(0, end)];
    batch = [chunk.subarray(end)];
    bytes = chunk.length - end;
  }
  if (bytes > 0) yield batch;
}

export function textTooLong(): ProblemError {
  return new ProblemError(
    'body_too_large',
    `A text may have ${TEXT_BYTES_MAX} bytes (2 GiB), uncompressed. Send a part of it: cut it between lines, or trace fewer events.`,
  );
}

async function* gunzipped(source: Bytes): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: GUNZIP_CHUNK_BYTES });
  // Its errors come out of the iteration.
  pipeline(Readable.from(source, { objectMode: false }), gunzip, () => {});
  try {
    for await (const chunk of gunzip) yield chunk as Buffer;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code?.startsWith('Z_') !== true) throw error;
    throw new ProblemError('bad_request', `The body is no whole gzip file: ${message}.`);
  }
}

async function headOf(iterator: AsyncIterator<Buffer>): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < HEAD_BYTES) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    head = head.length === 0 ? value : Buffer.concat([head, value]);
  }
  return head;
}

/** No generator, which would take as long over each chunk as its coming does. */
function putBack(head: Buffer, rest: AsyncIterator<Buffer>): Bytes {
  let isTaken = false;
  const all: AsyncIterableIterator<Buffer> = {
    next() {
      if (isTaken) return rest.next();
      isTaken = true;
      return Promise.resolve({ done: false, value: head });
    },
    async return() {
      await rest.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => all,
  };
  return all;
}

/** How compressed files begin, and what unpacks them. */
const PACKED = [
  ['\xfd7zXZ\x00', 'xz'],
  ['\x28\xb5\x2f\xfd', 'zstd'],
  ['BZh', 'bzip2'],
  ['\x04\x22\x4d\x18', 'lz4'],
  ['\x1f\x8b', 'gzip'],
] as const;

function refusalOf(head: Buffer): ProblemError | undefined {
  const binary = binaryFormat(head);
  if (binary !== null) return notText(`a ${binary.name}`, binary.command);
  const [, packer] = PACKED.find(([start]) => startsWith(head, start)) ?? [];
  return packer === undefined
    ? undefined
    : notText(`compressed by ${packer}`, `${packer} -dc FILE`);
}

function notText(what: string, command: string): ProblemError {
  const detail = `The body is ${what}. Send the text that this prints: ${command}`;
  return new ProblemError('unsupported_media_type', detail);
}

function startsWith(head: Buffer, start: string): boolean {
  return head.toString('latin1', 0, start.length) === start;
}
