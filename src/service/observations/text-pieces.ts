/** How the pieces of a text are packed. */
import { isAscii } from 'node:buffer';
import { StringDecoder } from 'node:string_decoder';
import { promisify } from 'node:util';
import { constants, deflateRaw, inflateRaw } from 'node:zlib';
import { Piece } from '../../observations/lines.js';

const deflated = promisify(deflateRaw);
const inflated = promisify(inflateRaw);

const NEWLINE = 0x0a;

/** A full flush ends it at a byte and leaves the deflated text open for the next piece. */
export function packed(piece: Buffer): Promise<Buffer> {
  return deflated(piece, {
    level: constants.Z_BEST_SPEED,
    finishFlush: constants.Z_FULL_FLUSH,
  });
}

export function unpacked(piece: Uint8Array): Promise<Buffer> {
  return inflated(piece, { finishFlush: constants.Z_SYNC_FLUSH });
}

/** Behind the last end of a line; 0 where there is none. */
export function endOfLines(bytes: Buffer): number {
  return bytes.lastIndexOf(NEWLINE) + 1;
}

/** Makes strings of the pieces of a text. What is plain ASCII, as most of them are, need not be decoded at once. */
export class Decoding {
  private readonly decoder = new StringDecoder('utf8');
  /** Whether no character has been begun and not ended. */
  private isWhole = true;

  /** In parts of so many bytes at most, which end where lines do, if lines end in them. */
  *decode(piece: Buffer, bytesMax: number): Generator<string | Piece> {
    const isPlain = this.isWhole && isAscii(piece);
    this.isWhole = isPlain || piece.at(-1) === NEWLINE;
    for (let at = 0; at < piece.length; ) {
      const most = piece.subarray(at, at + bytesMax);
      const bytes = most.subarray(0, endOfLines(most) || most.length);
      yield isPlain ? new Piece(bytes, () => bytes.toString('latin1')) : this.decoder.write(bytes);
      at += bytes.length;
    }
  }

  /** What was begun and not ended. */
  end(): string {
    return this.decoder.end();
  }
}
