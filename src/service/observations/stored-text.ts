/** The text of an observation as it was sent, put together from its pieces: plain, or as one gzip file without packing it anew. */
import type { TextStore } from '../../store/text-store.js';
import { unpacked } from './text-pieces.js';

/** No name, no time, from an unknown system. */
const GZIP_HEAD = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
/** An empty last block of deflated data. */
const DEFLATE_END = Buffer.from([3, 0]);

async function* packedPieces(store: TextStore, id: string): AsyncGenerator<Uint8Array> {
  for (let n = 0; ; n += 1) {
    const piece = await store.text(id, n);
    if (piece === undefined) return;
    yield piece;
  }
}

export async function* plainText(store: TextStore, id: string): AsyncGenerator<Buffer> {
  for await (const piece of packedPieces(store, id)) yield unpacked(piece);
}

export async function* gzipText(
  store: TextStore,
  id: string,
  { crc, bytes }: { readonly crc: number; readonly bytes: number },
): AsyncGenerator<Uint8Array> {
  yield GZIP_HEAD;
  yield* packedPieces(store, id);
  const end = Buffer.alloc(8);
  end.writeUInt32LE(crc, 0);
  end.writeUInt32LE(bytes % 2 ** 32, 4);
  yield Buffer.concat([DEFLATE_END, end]);
}
