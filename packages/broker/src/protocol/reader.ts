import { LogError } from '../errors.ts';
import { readInt64 } from '../log/int64.ts';

/**
 * Reads Kafka's primitive types from a request, one after the other. Nothing is trusted: every length and count is
 * compared with the bytes that are left before anything is allocated for it, and the number of array elements in one
 * request is bounded, since a few bytes on the wire can stand for an object a hundred times their size.
 */
const MAX_ELEMENTS = 1_000_000;

export class Reader {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;
  private elementsLeft = MAX_ELEMENTS;

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  int8(): number {
    return this.bytes.readInt8(this.take(1));
  }

  int16(): number {
    return this.bytes.readInt16BE(this.take(2));
  }

  int32(): number {
    return this.bytes.readInt32BE(this.take(4));
  }

  int64(): number {
    return readInt64(this.bytes, this.take(8));
  }

  /** As 8-4-4-4-12 hexadecimal digits. */
  uuid(): string {
    const at = this.take(16);
    const hex = this.bytes.toString('hex', at, at + 16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  /** At most 32 bits, five bytes. */
  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.bytes[this.take(1)]!;
      value |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      if (shift === 28 && byte > 0x0f) break;
      return value >>> 0;
    }
    return this.fail('a varint is longer than 32 bits');
  }

  /** `length` of -1 is null; anything else must be there. */
  string(length: number): string | null {
    if (length === -1) return null;
    const at = this.take(length);
    return this.bytes.toString('utf8', at, at + length);
  }

  /** A view of the request: copy what is kept. */
  view(length: number): Buffer | null {
    if (length === -1) return null;
    const at = this.take(length);
    return this.bytes.subarray(at, at + length);
  }

  /** Checks an array's count, each element of which takes `least` bytes or more. */
  count(count: number, least: number): number {
    if (count < -1 || count * least > this.left) {
      this.fail(`an array claims ${count} elements of at least ${least} bytes where ${this.left} bytes are left`);
    }
    this.elementsLeft -= count;
    if (this.elementsLeft < 0) this.fail(`it has more than ${MAX_ELEMENTS} array elements`);
    return count;
  }

  /** Passes over tagged fields, calling `known` with each one's tag and size. What it leaves unread is skipped. */
  tags(known?: (tag: number, size: number) => void): void {
    let last = -1;
    for (let n = this.uvarint(); n > 0; n--) {
      const tag = this.uvarint();
      if (tag <= last) this.fail(`tag ${tag} follows tag ${last}`);
      last = tag;
      const size = this.uvarint();
      if (size > this.left) this.fail(`a tagged field claims ${size} bytes where ${this.left} are left`);
      const next = this.at + size;
      known?.(tag, size);
      if (this.at > next) this.fail(`tagged field ${tag} is longer than its size, ${size}`);
      this.at = next;
    }
  }

  fail(what: string): never {
    throw new LogError('INVALID_REQUEST', `malformed request: ${what} (at byte ${this.at} of ${this.end})`);
  }

  private take(size: number): number {
    const { at } = this;
    if (size < 0 || size > this.end - at) this.fail(`${size} bytes are needed where ${this.end - at} are left`);
    this.at = at + size;
    return at;
  }
}
