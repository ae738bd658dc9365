/**
 * Memory for large reads that is used again, since a fresh megabyte for each costs as much as reading it. Whoever takes a
 * buffer gives it back when nobody looks at its bytes any more, or leaves it to the garbage collector.
 */
const SIZE = 1024 * 1024;
/** Smaller reads get memory of their own. */
const WORTHWHILE = 128 * 1024;
const KEPT = 16;

export class ReadBuffers {
  private readonly free: Buffer[] = [];

  take(bytes: number): Buffer {
    if (bytes < WORTHWHILE || bytes > SIZE) return Buffer.allocUnsafeSlow(bytes);
    const whole = this.free.pop() ?? Buffer.allocUnsafeSlow(SIZE);
    return whole.subarray(0, bytes);
  }

  give(taken: Buffer): void {
    if (taken.buffer.byteLength === SIZE && this.free.length < KEPT) this.free.push(Buffer.from(taken.buffer));
  }
}
