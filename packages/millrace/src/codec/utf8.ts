/**
 * Text to bytes and back, strictly. `Buffer.from` writes small texts several times as fast as a TextEncoder, which
 * allocates each result (docs/decisions/0202-text-encoding.md). Results may share one larger ArrayBuffer: copy a result
 * before its buffer is transferred.
 */
import { MillraceError } from '../errors.ts';
import { startOf } from './start-of.ts';

// A byte order mark is a part of the text: what went in comes out.
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function encodeText(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

/** The text, or MR_DECODE with the offset of the first byte that is no UTF-8. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch (error) {
    const cause = `byte ${invalidAt(bytes)} is invalid`;
    throw new MillraceError('MR_DECODE', ['UTF-8 text', cause, startOf(bytes)], error);
  }
}

/** The first byte that cannot follow those before it; the length where the text only stops too early. */
function invalidAt(bytes: Uint8Array): number {
  // Whether a prefix can still become valid text is monotone in its length, so it is found by halving.
  let valid = 0;
  let invalid = bytes.byteLength + 1;
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >>> 1;
    if (canGoOn(bytes.subarray(0, middle))) valid = middle;
    else invalid = middle;
  }
  return valid;
}

function canGoOn(prefix: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(prefix, { stream: true });
    return true;
  } catch {
    return false;
  }
}
