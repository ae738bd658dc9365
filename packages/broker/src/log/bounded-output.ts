/** Bytes that grow as they are decompressed, up to a bound: what claims to be more is refused before it takes memory. */
export class DecompressionFault extends Error {
  override readonly name = 'DecompressionFault';
}

/** Up to here a loop is quicker than a call. */
const SHORT = 48;

export class BoundedOutput {
  private readonly most: number;
  private bytes: Buffer;
  private end = 0;

  constructor(most: number, expected: number) {
    this.most = most;
    this.bytes = Buffer.allocUnsafeSlow(Math.min(most, Math.max(expected, 64)));
  }

  /** What was written so far, as a view. */
  get written(): Buffer {
    return this.bytes.subarray(0, this.end);
  }

  get length(): number {
    return this.end;
  }

  /** Copies input [from, to), which is there. */
  literals(input: Buffer, from: number, to: number): void {
    this.reserve(to - from);
    const { bytes } = this;
    if (to - from > SHORT) bytes.set(input.subarray(from, to), this.end);
    else for (let at = from, end = this.end; at < to; at++) bytes[end++] = input[at]!;
    this.end += to - from;
  }

  /** Repeats `length` bytes that begin `offset` before the end, which may run into what it writes. */
  repeat(offset: number, length: number): void {
    if (offset < 1 || offset > this.end) throw new DecompressionFault(`it repeats what is ${offset} bytes back`);
    this.reserve(length);
    const { bytes } = this;
    let from = this.end - offset;
    if (length > SHORT && offset >= length) bytes.copyWithin(this.end, from, from + length);
    else for (let to = this.end, left = length; left > 0; left--) bytes[to++] = bytes[from++]!;
    this.end += length;
  }

  private reserve(more: number): void {
    const needed = this.end + more;
    if (needed > this.most) throw new DecompressionFault(`it is larger than ${this.most} bytes`);
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.min(this.most, Math.max(needed, this.bytes.length * 2)));
    this.bytes.copy(grown, 0, 0, this.end);
    this.bytes = grown;
  }
}
