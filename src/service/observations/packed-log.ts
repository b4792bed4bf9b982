/** The log that a document holds as base64: of gzip, or plain. */
import { gunzipSync } from 'node:zlib';

/** A log that is longer is to be sent by itself, as text. */
const LOG_BYTES_MAX = 32 * 2 ** 20;

/** Runs in the thread that reads. Throws an Error that says what is wrong. */
export function unpackedLog(base64: string): string {
  if (!/^[A-Za-z0-9+/_=\s-]*$/.test(base64)) throw new Error('is not base64');
  const bytes = Buffer.from(base64, 'base64');
  return unzipped(bytes).toString('utf8');
}

function unzipped(bytes: Buffer): Buffer {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: LOG_BYTES_MAX });
  } catch (error) {
    const isLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    throw new Error(
      isLarge
        ? `has more than ${LOG_BYTES_MAX} bytes when it is unpacked`
        : 'is no whole gzip file',
    );
  }
}
