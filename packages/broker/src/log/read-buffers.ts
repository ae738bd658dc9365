/**
 * Memory for large reads that is used again, since a fresh megabyte for each costs as much as reading it. Whoever takes a
 * buffer gives it back when nobody looks at its bytes any more.
 */
const SIZE = 1024 * 1024;
/** Smaller reads get memory of their own. */
const WORTHWHILE = 128 * 1024;
const KEPT = 16;

export class ReadBuffers {
  private readonly free: Buffer[] = [];
  /** Bytes taken and not given back. */
  lent = 0;

  take(bytes: number): Buffer {
    this.lent += bytes;
    if (bytes < WORTHWHILE || bytes > SIZE) return Buffer.allocUnsafeSlow(bytes);
    const whole = this.free.pop() ?? Buffer.allocUnsafeSlow(SIZE);
    return whole.subarray(0, bytes);
  }

  give(taken: Buffer): void {
    this.lent -= taken.length;
    if (taken.buffer.byteLength === SIZE && this.free.length < KEPT) this.free.push(Buffer.from(taken.buffer));
  }
}
