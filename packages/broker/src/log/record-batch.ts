import { crc32c } from '@node-rs/crc32';
import { LogError } from '../errors.ts';
import type { LogRecord, RecordHeader } from './api.ts';
import { decompress } from './decompress.ts';
import { readInt64, writeInt64 } from './int64.ts';
import { VarintReader } from './varint-reader.ts';

/**
 * Kafka's record batch, version 2: what a batch says of itself, what can be wrong with it, and the records in it.
 *
 *     0 baseOffset int64      21 attributes int16       43 producerId int64
 *     8 length int32          23 lastOffsetDelta int32  51 producerEpoch int16
 *    12 leaderEpoch int32     27 baseTimestamp int64    53 baseSequence int32
 *    16 magic int8 = 2        35 maxTimestamp int64     57 count int32
 *    17 crc uint32                                      61 records
 *
 * `length` counts what follows it. The CRC32C covers everything from the attributes on, so the log sets baseOffset and
 * leaderEpoch in place and appends the rest as it came. Nothing here trusts a length before it is compared with the
 * bytes that are there.
 */
export const HEADER_BYTES = 61;
/** baseOffset and length: what stands before the bytes that `length` counts. */
const PREFIX_BYTES = 12;
const CRC_AT = 17;
const CRC_FROM = 21;
const MAGIC = 2;
const COMPRESSION = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
/** length, attributes, timestamp delta, offset delta, key length, value length, header count: a byte each. */
const SMALLEST_RECORD = 7;

export interface BatchHeader {
  readonly baseOffset: number;
  /** The whole batch in bytes. */
  readonly size: number;
  readonly leaderEpoch: number;
  readonly crc: number;
  readonly attributes: number;
  readonly lastOffsetDelta: number;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly count: number;
}

/** The size in bytes that the batch at `at` gives itself; needs the first 12 bytes. Not yet to be trusted. */
export function claimedSize(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at + 8) + PREFIX_BYTES;
}

export function baseOffsetOf(bytes: Buffer, at: number): number {
  return readInt64(bytes, at);
}

/** The offset after the batch's last. */
export function endOffsetOf(bytes: Buffer, at: number): number {
  return readInt64(bytes, at) + bytes.readInt32BE(at + 23) + 1;
}

export function maxTimestampOf(bytes: Buffer, at: number): number {
  return readInt64(bytes, at + 35);
}

export function magicOf(bytes: Buffer, at: number): number {
  return bytes.readInt8(at + 16);
}

export function codecOf(bytes: Buffer, at: number): number {
  return bytes[at + 22]! & COMPRESSION;
}

export function isTransactional(bytes: Buffer, at: number): boolean {
  return (bytes[at + 22]! & TRANSACTIONAL) !== 0;
}

export function hasAppendTime(bytes: Buffer, at: number): boolean {
  return (bytes[at + 22]! & LOG_APPEND_TIME) !== 0;
}

export function isControl(bytes: Buffer, at: number): boolean {
  return (bytes[at + 22]! & CONTROL) !== 0;
}

/** What a batch says of the producer that wrote it. */
export interface ProducerBatch {
  readonly producerId: number;
  readonly producerEpoch: number;
  /** -1 when the producer numbers nothing. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly transactional: boolean;
}

/** Nothing when the producer has no id. */
export function producerOf(bytes: Buffer, at: number): ProducerBatch | undefined {
  if (bytes.readInt32BE(at + 43) < 0) return undefined;
  const firstSequence = bytes.readInt32BE(at + 53);
  const last = firstSequence + lastOffsetDeltaOf(bytes, at);
  return {
    producerId: readInt64(bytes, at + 43),
    producerEpoch: bytes.readInt16BE(at + 51),
    firstSequence,
    // After the greatest comes 0.
    lastSequence: firstSequence < 0 ? firstSequence : last < 2 ** 31 ? last : last - 2 ** 31,
    transactional: isTransactional(bytes, at),
  };
}

export function setMaxTimestamp(batch: Buffer, timestamp: number): void {
  writeInt64(batch, timestamp, 35);
  setChecksum(batch);
}

/** Has the whole batch carry the time at which the log took it, and nothing of what its producer said. */
export function stampAppendTime(batch: Buffer, now: number): void {
  batch[22]! |= LOG_APPEND_TIME;
  setMaxTimestamp(batch, now);
}

export function lastOffsetDeltaOf(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at + 23);
}

export function setChecksum(batch: Buffer): void {
  batch.writeUInt32BE(crc32c(batch.subarray(CRC_FROM)), CRC_AT);
}

/** What is wrong with the batch at `at`, of which the bytes up to `end` are there; nothing when it is whole. */
export function faultOf(bytes: Buffer, at: number, end: number): string | undefined {
  if (end - at < HEADER_BYTES) return `${end - at} bytes are left, fewer than a batch header's ${HEADER_BYTES}`;
  const size = claimedSize(bytes, at);
  if (size < HEADER_BYTES) return `it claims ${size} bytes, fewer than its header's ${HEADER_BYTES}`;
  if (size > end - at) return `it claims ${size} bytes where ${end - at} are left`;
  const magic = magicOf(bytes, at);
  if (magic !== MAGIC) return `its magic byte is ${magic} where ${MAGIC} is the only one served`;
  const expected = bytes.readUInt32BE(at + CRC_AT);
  const actual = crc32c(bytes.subarray(at + CRC_FROM, at + size));
  if (actual !== expected) return `its bytes have the checksum ${hex(actual)} and it says ${hex(expected)}`;
  const delta = bytes.readInt32BE(at + 23);
  const count = bytes.readInt32BE(at + 57);
  if (delta < 0 || count < 0 || count > delta + 1) return `it claims ${count} records over ${delta + 1} offsets`;
  return undefined;
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

/** Needs a batch that `faultOf` passed. */
export function headerOf(bytes: Buffer, at: number): BatchHeader {
  return {
    baseOffset: readInt64(bytes, at),
    size: claimedSize(bytes, at),
    leaderEpoch: bytes.readInt32BE(at + 12),
    crc: bytes.readUInt32BE(at + CRC_AT),
    attributes: bytes.readInt16BE(at + 21),
    lastOffsetDelta: bytes.readInt32BE(at + 23),
    baseTimestamp: readInt64(bytes, at + 27),
    maxTimestamp: readInt64(bytes, at + 35),
    producerId: readInt64(bytes, at + 43),
    producerEpoch: bytes.readInt16BE(at + 51),
    baseSequence: bytes.readInt32BE(at + 53),
    count: bytes.readInt32BE(at + 57),
  };
}

/**
 * Adds the batch's records from `offset` on to `into`, as views of `bytes`. Needs a batch that `faultOf` passed; its
 * records are checked as they are read, because a right checksum only says that they arrived as they were sent.
 */
export function decodeRecords(bytes: Buffer, at: number, offset: number, into: LogRecord[]): void {
  if (!isControl(bytes, at)) decodeAll(bytes, at, offset, into);
}

/** The same for a control batch, whose records are for the log and not for its readers. */
export function decodeControlRecords(bytes: Buffer, at: number, into: LogRecord[]): void {
  if (isControl(bytes, at)) decodeAll(bytes, at, 0, into);
}

function decodeAll(bytes: Buffer, at: number, offset: number, into: LogRecord[]): void {
  const header = headerOf(bytes, at);
  const codec = header.attributes & COMPRESSION;
  const packed = bytes.subarray(at + HEADER_BYTES, at + header.size);
  const records = codec === 0 ? packed : decompress(codec, packed, header.baseOffset);
  expectRoomFor(header.count, records, header.baseOffset);
  const reader = new RecordReader(records, header);
  for (let n = 0; n < header.count; n++) {
    const record = reader.next();
    if (record.offset >= offset) into.push(record);
  }
  reader.expectEnd();
}

/** A count is not believed before so many records can be there. */
export function expectRoomFor(count: number, { length }: Buffer, baseOffset: number): void {
  if (count * SMALLEST_RECORD <= length) return;
  throw malformed(baseOffset, `${count} records cannot be in ${length} bytes`);
}

export function malformed(baseOffset: number, what: string): LogError {
  return new LogError('CORRUPT_MESSAGE', `the batch at offset ${baseOffset} is malformed: ${what}`);
}

const noHeaders: readonly RecordHeader[] = Object.freeze([]);

class RecordReader extends VarintReader {
  private readonly header: BatchHeader;

  constructor(records: Buffer, header: BatchHeader) {
    super(records);
    this.header = header;
  }

  next(): LogRecord {
    const length = this.varint();
    const recordEnd = this.at + length;
    if (length < 0 || recordEnd > this.end)
      this.fail(`a record claims ${length} bytes, ${this.end - this.at} are left`);
    this.at++; // attributes: unused
    const created = this.header.baseTimestamp + this.varlong();
    const timestamp = (this.header.attributes & LOG_APPEND_TIME) === 0 ? created : this.header.maxTimestamp;
    const delta = this.varint();
    if (delta < 0 || delta > this.header.lastOffsetDelta) this.fail(`a record has the offset delta ${delta}`);
    const key = this.nullableBytes();
    const value = this.nullableBytes();
    const headers = this.headers();
    if (this.at !== recordEnd) this.fail(`a record claims ${length} bytes and has ${this.at - recordEnd + length}`);
    return { offset: this.header.baseOffset + delta, timestamp, key, value, headers };
  }

  expectEnd(): void {
    if (this.at !== this.end) this.fail(`${this.end - this.at} bytes follow its last record`);
  }

  private headers(): readonly RecordHeader[] {
    const count = this.varint();
    if (count === 0) return noHeaders;
    if (count < 0 || count * 2 > this.end - this.at) this.fail(`a record claims ${count} headers`);
    const headers: RecordHeader[] = [];
    for (let n = 0; n < count; n++) {
      const length = this.varint();
      if (length < 0 || length > this.end - this.at) this.fail(`a header key claims ${length} bytes`);
      const key = this.bytes.toString('utf8', this.at, this.at + length);
      this.at += length;
      headers.push({ key, value: this.nullableBytes() });
    }
    return headers;
  }

  private nullableBytes(): Uint8Array | null {
    const length = this.varint();
    if (length === -1) return null;
    if (length < 0 || length > this.end - this.at)
      this.fail(`a field claims ${length} bytes, ${this.end - this.at} are left`);
    const from = this.at;
    this.at += length;
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + from, length);
  }

  protected fail(what: string): never {
    throw malformed(this.header.baseOffset, what);
  }
}
