/**
 * Keys as bytes and back. What is written here lies in checkpoints and savepoints: the marks never change their meaning.
 * A key is a mark, and after it what the mark says; lengths are varints, least significant seven bits first.
 */
import type { Key } from '../topology/key.ts';

const ASCII = 0;
const UTF8 = 1;
/** Text with half a surrogate pair, which UTF-8 cannot hold. */
const UTF16 = 2;
/** Zigzag varint, for whole numbers of 32 bits. */
const INTEGER = 3;
const DOUBLE = 4;
/** In base 16, with its sign. */
const BIGINT = 5;
const FALSE = 6;
const TRUE = 7;
const TUPLE = 8;

/** Up to here texts are written character by character, which is quicker than a call out of JavaScript. */
const SHORT = 32;

/** No key needs more bytes than this. */
export function boundOf(key: Key): number {
  switch (typeof key) {
    case 'string':
      return 6 + 3 * key.length;
    case 'number':
      return 9;
    case 'boolean':
      return 1;
    case 'bigint':
      return 6 + key.toString(16).length;
    default: {
      let bytes = 6;
      for (const part of key) bytes += boundOf(part);
      return bytes;
    }
  }
}

/** Writes a key at `at`, and gives where it ends. */
export function writeKey(target: Buffer, at: number, key: Key): number {
  switch (typeof key) {
    case 'string':
      return writeText(target, at, key);
    case 'number':
      return writeNumber(target, at, key);
    case 'boolean':
      target[at] = key ? TRUE : FALSE;
      return at + 1;
    case 'bigint': {
      const text = key.toString(16);
      target[at] = BIGINT;
      const from = writeVarint(target, at + 1, text.length);
      return from + target.write(text, from, 'latin1');
    }
    default: {
      target[at] = TUPLE;
      let to = writeVarint(target, at + 1, key.length);
      for (const part of key) to = writeKey(target, to, part);
      return to;
    }
  }
}

function writeText(target: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length > SHORT) return writeLongText(target, at, text);
  const from = at + 2;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return writeLongText(target, at, text);
    target[from + i] = code;
  }
  target[at] = ASCII;
  target[at + 1] = length;
  return from + length;
}

function writeLongText(target: Buffer, at: number, text: string): number {
  if (!text.isWellFormed()) {
    target[at] = UTF16;
    const from = writeVarint(target, at + 1, 2 * text.length);
    return from + target.write(text, from, 'utf16le');
  }
  const bytes = Buffer.byteLength(text);
  target[at] = bytes === text.length ? ASCII : UTF8;
  const from = writeVarint(target, at + 1, bytes);
  return from + target.write(text, from, 'utf8');
}

function writeNumber(target: Buffer, at: number, key: number): number {
  const whole = key | 0;
  if (whole === key && !Object.is(key, -0)) {
    target[at] = INTEGER;
    return writeVarint(target, at + 1, ((whole << 1) ^ (whole >> 31)) >>> 0);
  }
  target[at] = DOUBLE;
  return target.writeDoubleLE(key, at + 1);
}

/** `value` is a whole number below 2^32. */
export function writeVarint(target: Buffer, at: number, value: number): number {
  let left = value;
  let to = at;
  while (left > 127) {
    target[to++] = (left & 127) | 128;
    left >>>= 7;
  }
  target[to] = left;
  return to + 1;
}

/** Reads what was written above, one after the other. */
export class ByteReader {
  readonly bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  byte(): number {
    return this.bytes[this.at++]!;
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
  }

  key(): Key {
    const mark = this.byte();
    switch (mark) {
      case ASCII:
        return this.#text('latin1');
      case UTF8:
        return this.#text('utf8');
      case UTF16:
        return this.#text('utf16le');
      case INTEGER: {
        const value = this.varint();
        return (value >>> 1) ^ -(value & 1);
      }
      case DOUBLE:
        this.at += 8;
        return this.bytes.readDoubleLE(this.at - 8);
      case BIGINT: {
        const text = this.#text('latin1');
        return text.startsWith('-') ? -BigInt(`0x${text.slice(1)}`) : BigInt(`0x${text}`);
      }
      case FALSE:
      case TRUE:
        return mark === TRUE;
      case TUPLE:
        return Array.from({ length: this.varint() }, () => this.key());
      default:
        throw new Error(`a key with the mark ${mark}, which this version does not know`);
    }
  }

  /** Past a key that is not wanted. */
  skipKey(): void {
    switch (this.byte()) {
      case INTEGER:
        this.varint();
        return;
      case DOUBLE:
        this.at += 8;
        return;
      case FALSE:
      case TRUE:
        return;
      case TUPLE:
        for (let left = this.varint(); left > 0; left--) this.skipKey();
        return;
      default:
        this.skip(this.varint());
    }
  }

  skip(bytes: number): void {
    this.at += bytes;
  }

  #text(encoding: BufferEncoding): string {
    const length = this.varint();
    const from = this.at;
    this.at += length;
    return this.bytes.toString(encoding, from, this.at);
  }
}
