/**
 * Reads the numbers of a record's fields, zigzag varints, from bytes that nobody has checked: what does not end within
 * `end`, or is longer than its kind may be, fails.
 */
export abstract class VarintReader {
  protected readonly bytes: Buffer;
  protected readonly end: number;
  protected at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.end = bytes.length;
  }

  /** Throws what is wrong with the records. */
  protected abstract fail(what: string): never;

  protected varint(): number {
    const bytes = this.bytes;
    let byte = bytes[this.at++]!;
    if (byte < 0x80) return this.at > this.end ? this.fail('it ends inside a number') : (byte >>> 1) ^ -(byte & 1);
    let value = byte & 0x7f;
    for (let shift = 7; shift < 35; shift += 7) {
      if (this.at >= this.end) this.fail('it ends inside a number');
      byte = bytes[this.at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
    return this.fail('a 32-bit number is longer than five bytes');
  }

  protected varlong(): number {
    let value = 0;
    let scale = 1;
    for (let n = 0; n < 10; n++) {
      if (this.at >= this.end) this.fail('it ends inside a number');
      const byte = this.bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) this.fail('a timestamp delta is beyond 2^53');
        return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      }
      scale *= 128;
    }
    return this.fail('a 64-bit number is longer than ten bytes');
  }
}
