import { writeInt64 } from '../log/int64.ts';

/**
 * Writes Kafka's primitive types one after the other. Large byte strings (records) are not copied: the result is a list
 * of chunks, to be written to a socket together.
 */
const FIRST_BYTES = 256;
/** From this size on a byte string becomes a chunk of its own. */
const OWN_CHUNK = 2048;

export class Writer {
  private readonly chunks: Uint8Array[] = [];
  private chunkBytes = 0;
  private bytes = Buffer.allocUnsafe(FIRST_BYTES);
  private from = 0;
  private at = 0;

  /** Bytes written so far. */
  get size(): number {
    return this.chunkBytes + this.at - this.from;
  }

  finish(): Uint8Array[] {
    this.endChunk();
    return this.chunks;
  }

  /** Everything in one piece. */
  toBuffer(): Buffer {
    const chunks = this.finish();
    return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
  }

  int8(value: number): void {
    const at = this.room(1);
    this.bytes.writeInt8(value, at);
  }

  int16(value: number): void {
    const at = this.room(2);
    this.bytes.writeInt16BE(value, at);
  }

  int32(value: number): void {
    const at = this.room(4);
    this.bytes.writeInt32BE(value, at);
  }

  int64(value: number): void {
    const at = this.room(8);
    writeInt64(this.bytes, value, at);
  }

  uuid(value: string): void {
    const at = this.room(16);
    this.bytes.write(value.replaceAll('-', ''), at, 'hex');
  }

  uvarint(value: number): void {
    let rest = value;
    const at = this.room(5);
    let next = at;
    while (rest >= 0x80) {
      this.bytes[next++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[next++] = rest;
    this.at = next;
  }

  /** Without its length. */
  string(value: string, length: number): void {
    const at = this.room(length);
    this.bytes.write(value, at, length);
  }

  /** Without its length; large ones are taken as they are and must not change any more. */
  raw(value: Uint8Array): void {
    if (value.length >= OWN_CHUNK) {
      this.endChunk();
      this.chunks.push(value);
      this.chunkBytes += value.length;
      return;
    }
    const at = this.room(value.length);
    this.bytes.set(value, at);
  }

  private endChunk(): void {
    if (this.at === this.from) return;
    this.chunks.push(this.bytes.subarray(this.from, this.at));
    this.chunkBytes += this.at - this.from;
    this.from = this.at;
  }

  private room(size: number): number {
    if (this.at + size > this.bytes.length) this.grow(size);
    const { at } = this;
    this.at = at + size;
    return at;
  }

  private grow(size: number): void {
    const written = this.at - this.from;
    const grown = Buffer.allocUnsafe(Math.max(FIRST_BYTES, (written + size) * 2));
    this.bytes.copy(grown, 0, this.from, this.at);
    this.bytes = grown;
    this.from = 0;
    this.at = written;
  }
}
