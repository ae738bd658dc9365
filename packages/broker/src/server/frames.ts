import { LogError } from '../errors.ts';

/**
 * Cuts a byte stream into Kafka's frames, an int32 length before each. A length is checked before anything is kept for
 * it, and what is kept is never more than has arrived: a peer that claims much and sends little costs little.
 */
/** Pieces up to this size are copied, and put together: each as it came would take much more memory than its bytes. */
const PIECE = 4096;
const EMPTY = Buffer.alloc(0);

export class Frames {
  private readonly limit: number;
  private chunks: Buffer[] = [];
  /** Bytes in `chunks`. */
  held = 0;
  /** Length and body of the frame that is on its way; 0 while its length is not known. */
  private wanted = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Calls `each` with the frames that this chunk completes, as views where they lie within it. */
  push(chunk: Buffer, each: (frame: Buffer) => void): void {
    let rest = chunk;
    if (this.held > 0) {
      const missing = this.missing(rest);
      if (missing > rest.length) return this.keep(rest);
      this.keep(rest.subarray(0, missing));
      rest = rest.subarray(missing);
      each(this.take());
    }
    let at = 0;
    while (rest.length - at >= 4) {
      const end = at + 4 + this.checked(rest.readInt32BE(at));
      if (end > rest.length) break;
      each(rest.subarray(at + 4, end));
      at = end;
    }
    if (at < rest.length) this.keep(rest.subarray(at));
  }

  /** How many more bytes complete the frame; the length itself may still be incomplete. */
  private missing(next: Buffer): number {
    if (this.wanted === 0) {
      const start = Buffer.alloc(4);
      let filled = 0;
      for (const chunk of [...this.chunks, next]) filled += chunk.copy(start, filled, 0, 4 - filled);
      if (filled < 4) return Number.POSITIVE_INFINITY;
      this.wanted = 4 + this.checked(start.readInt32BE(0));
    }
    return this.wanted - this.held;
  }

  private keep(chunk: Buffer): void {
    this.held += chunk.length;
    if (chunk.length > PIECE) {
      this.chunks.push(chunk);
      return;
    }
    const last = this.chunks.at(-1);
    const joins = last !== undefined && last.length + chunk.length <= PIECE;
    const before = joins ? last : EMPTY;
    const piece = Buffer.allocUnsafeSlow(before.length + chunk.length);
    before.copy(piece);
    chunk.copy(piece, before.length);
    if (joins) this.chunks.pop();
    this.chunks.push(piece);
  }

  private take(): Buffer {
    const frame = Buffer.concat(this.chunks, this.wanted).subarray(4);
    this.chunks = [];
    this.held = 0;
    this.wanted = 0;
    return frame;
  }

  private checked(length: number): number {
    if (length >= 0 && length <= this.limit) return length;
    throw new LogError(
      'INVALID_REQUEST',
      `a request claims ${length} bytes; the most is socket.request.max.bytes, ${this.limit}`,
    );
  }
}
