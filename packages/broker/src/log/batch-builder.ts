import { LogError } from '../errors.ts';
import type { RecordHeader } from './api.ts';
import { writeInt64 } from './int64.ts';
import { HEADER_BYTES, setChecksum } from './record-batch.ts';

/**
 * Writes records one after the other into the bytes of one record batch. `finish` gives the batch, as a view that the
 * next `add` overwrites; the log sets its offset. Timestamps are within [0, 2^52), so that every delta is exact.
 */
export interface ProducerFields {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  /** Attribute bits: 0x10 for a transaction's batch. */
  readonly attributes: number;
}

const notIdempotent: ProducerFields = { producerId: -1, producerEpoch: -1, baseSequence: -1, attributes: 0 };
const FIRST_BYTES = 1024;

export const MAX_TIMESTAMP = 2 ** 52 - 1;

/** An upper bound of what one record takes, its length and both deltas at their widest. */
export function recordBytesAtMost(
  key: Uint8Array | null,
  value: Uint8Array | null,
  headers: readonly RecordHeader[],
): number {
  let size = 5 + 1 + 8 + 5 + 5 + 5 + 5 + (key?.length ?? 0) + (value?.length ?? 0);
  for (const header of headers) size += 10 + Buffer.byteLength(header.key) + (header.value?.length ?? 0);
  return size;
}

export class BatchBuilder {
  private bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  private at = HEADER_BYTES;
  private baseTimestamp = 0;
  private maxTimestamp = 0;
  count = 0;

  /** Bytes of the batch so far. */
  get size(): number {
    return this.at;
  }

  add(timestamp: number, key: Uint8Array | null, value: Uint8Array | null, headers: readonly RecordHeader[]): void {
    if (this.count === 0) {
      this.baseTimestamp = timestamp;
      this.maxTimestamp = timestamp;
    } else if (timestamp > this.maxTimestamp) {
      this.maxTimestamp = timestamp;
    }
    const delta = timestamp - this.baseTimestamp;
    const length =
      1 + varlongBytes(delta) + varintBytes(this.count) + fieldBytes(key) + fieldBytes(value) + headersBytes(headers);
    this.reserve(length + 5);
    this.varint(length);
    this.bytes[this.at++] = 0; // attributes: unused
    this.varlong(delta);
    this.varint(this.count);
    this.field(key);
    this.field(value);
    this.varint(headers.length);
    for (const header of headers) {
      const keyBytes = Buffer.byteLength(header.key);
      this.varint(keyBytes);
      this.bytes.write(header.key, this.at, keyBytes);
      this.at += keyBytes;
      this.field(header.value);
    }
    this.count++;
  }

  /** The whole batch, offset 0, checksum set; the builder is empty again. */
  finish(fields: ProducerFields = notIdempotent): Buffer {
    if (this.count === 0) throw new LogError('INVALID_RECORD', 'a record batch holds at least one record');
    const batch = this.bytes.subarray(0, this.at);
    writeInt64(batch, 0, 0);
    batch.writeInt32BE(this.at - 12, 8);
    batch.writeInt32BE(0, 12);
    batch[16] = 2;
    batch.writeInt16BE(fields.attributes, 21);
    batch.writeInt32BE(this.count - 1, 23);
    writeInt64(batch, this.baseTimestamp, 27);
    writeInt64(batch, this.maxTimestamp, 35);
    writeInt64(batch, fields.producerId, 43);
    batch.writeInt16BE(fields.producerEpoch, 51);
    batch.writeInt32BE(fields.baseSequence, 53);
    batch.writeInt32BE(this.count, 57);
    setChecksum(batch);
    this.at = HEADER_BYTES;
    this.count = 0;
    return batch;
  }

  private reserve(more: number): void {
    const needed = this.at + more;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown;
  }

  private field(value: Uint8Array | null): void {
    if (value === null) {
      this.bytes[this.at++] = 1; // -1
      return;
    }
    this.varint(value.length);
    this.bytes.set(value, this.at);
    this.at += value.length;
  }

  private varint(value: number): void {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    while (rest >= 0x80) {
      this.bytes[this.at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.at++] = rest;
  }

  private varlong(value: number): void {
    let rest = value >= 0 ? value * 2 : -value * 2 - 1;
    while (rest >= 0x80) {
      this.bytes[this.at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.at++] = rest;
  }
}

function varintBytes(value: number): number {
  const rest = ((value << 1) ^ (value >> 31)) >>> 0;
  if (rest < 0x80) return 1;
  if (rest < 0x4000) return 2;
  if (rest < 0x200000) return 3;
  return rest < 0x10000000 ? 4 : 5;
}

function varlongBytes(value: number): number {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1;
  let size = 1;
  for (; rest >= 0x80; size++) rest = Math.floor(rest / 128);
  return size;
}

function fieldBytes(value: Uint8Array | null): number {
  return value === null ? 1 : varintBytes(value.length) + value.length;
}

function headersBytes(headers: readonly RecordHeader[]): number {
  let size = varintBytes(headers.length);
  for (const header of headers) {
    const keyBytes = Buffer.byteLength(header.key);
    size += varintBytes(keyBytes) + keyBytes + fieldBytes(header.value);
  }
  return size;
}
