/**
 * Cuts bytes into lines. A line ends with LF or CR LF, which do not belong to it. No more of a line than the limit is
 * kept, however long it gets, and however small the pieces are in which it arrives.
 */
import { isUtf8 } from 'node:buffer';

const LF = 10;
const CR = 13;
const NONE: Buffer = Buffer.alloc(0);

export class LineSplitter {
  readonly #limit: number;
  /** Pieces not looked at yet; `#at` is where to go on in the first. */
  #pieces: Buffer[] = [];
  #at = 0;
  /** The start of a line whose end has not been seen, and how long the line is so far. */
  #partial = NONE;
  #partialLength = 0;
  #ended = false;
  #unread = 0;

  /** The line that `take` found: its bytes, or as many of them as the limit allows. */
  line: Buffer = NONE;
  /** Bytes of the input that it took, its end included. */
  consumed = 0;
  /** It is longer than the limit: `line` is only its start. */
  tooLong = false;

  /** The longest line in bytes, without its end. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that `take` has not looked at. It looks at all of them before it says that no line is complete. */
  get unread(): number {
    return this.#unread;
  }

  push(bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return;
    this.#pieces.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    this.#unread += bytes.byteLength;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** No more bytes will come: what is left without a line end is a line as well. */
  end(): void {
    this.#ended = true;
  }

  /** Finds the next line. False: none is complete. */
  take(): boolean {
    for (;;) {
      const piece = this.#pieces[0];
      if (piece === undefined) return this.#ended && this.#partialLength > 0 && this.#finish(0);
      const start = this.#at;
      const end = piece.indexOf(LF, start);
      const upTo = end < 0 ? piece.length : end;
      this.#at = upTo + 1;
      this.#unread -= Math.min(this.#at, piece.length) - start;
      if (this.#at >= piece.length) {
        this.#pieces.shift();
        this.#at = 0;
      }
      if (end >= 0 && this.#partialLength === 0) return this.#whole(piece, start, end);
      this.#keep(piece.subarray(start, upTo));
      if (end >= 0) return this.#finish(1);
    }
  }

  /** A line that lies in one piece. */
  #whole(piece: Buffer, start: number, end: number): boolean {
    this.consumed = end + 1 - start;
    const content = end > start && piece[end - 1] === CR ? end - 1 : end;
    this.tooLong = content - start > this.#limit;
    this.line = piece.subarray(start, this.tooLong ? start + this.#limit : content);
    return true;
  }

  /** Adds to the line whose end has not been seen; two bytes above the limit tell a CR at its end from a longer line. */
  #keep(bytes: Buffer): void {
    const kept = Math.min(this.#partialLength, this.#limit + 2);
    const more = Math.min(bytes.length, this.#limit + 2 - kept);
    if (kept + more > this.#partial.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(kept + more, Math.min(2 * this.#partial.length, this.#limit + 2)));
      this.#partial.copy(grown, 0, 0, kept);
      this.#partial = grown;
    }
    bytes.copy(this.#partial, kept, 0, more);
    this.#partialLength += bytes.length;
  }

  #finish(lineEnd: 0 | 1): boolean {
    const length = this.#partialLength;
    const content = lineEnd === 1 && this.#partial[length - 1] === CR ? length - 1 : length;
    this.consumed = length + lineEnd;
    this.tooLong = content > this.#limit;
    this.line = this.#partial.subarray(0, this.tooLong ? this.#limit : content);
    this.#partial = NONE;
    this.#partialLength = 0;
    return true;
  }
}

/** The text of a line, or undefined if its bytes are not UTF-8. */
export function textOf(line: Buffer): string | undefined {
  const text = line.toString('utf8');
  return text.includes('\ufffd') && !isUtf8(line) ? undefined : text;
}
