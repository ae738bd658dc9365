import { LogError } from '../errors.ts';
import { MAX_TIMESTAMP } from './batch-builder.ts';
import { compressLike, decompress } from './decompress.ts';
import { readInt64, writeInt64 } from './int64.ts';
import { baseOffsetOf, codecOf, endOffsetOf, HEADER_BYTES, malformed, setChecksum } from './record-batch.ts';

/**
 * Batches with some of their records taken out. What stays keeps its bytes, its offset and its timestamp; the batch keeps
 * its offsets, its producer's fields and its codec, so that readers and producer state see it as before.
 *
 * A batch that holds tombstones, or a marker that nobody needs any more, gets a delete horizon (KIP-534): attribute bit 6
 * says that the base timestamp is the time from which on they may go.
 */
const COUNT_AT = 57;
const BASE_TIMESTAMP_AT = 27;
const MAX_TIMESTAMP_AT = 35;
const CODEC = 0x07;
const LOG_APPEND_TIME = 0x08;
const HORIZON = 0x40;
const MOST_VARLONG = 10;

export interface RawRecord {
  readonly offset: number;
  readonly timestamp: number;
  /** Where it begins and ends in the records, and where the part from its offset delta on begins. */
  readonly start: number;
  readonly end: number;
  readonly restAt: number;
  /** As latin1, one character a byte: a key to look up. Nothing when it has none. */
  readonly key: string | undefined;
  readonly hasValue: boolean;
}

/** The records of a whole batch, which stands alone in `batch`: their bytes out of the codec, and where each is. */
export interface RawBatch {
  readonly records: Buffer;
  readonly list: readonly RawRecord[];
}

/** Nothing when they cannot be read, although they arrived as they were sent: such a batch is nobody's to take apart. */
export function rawRecords(batch: Buffer): RawBatch | undefined {
  try {
    return decoded(batch);
  } catch (error) {
    if (error instanceof LogError) return undefined;
    throw error;
  }
}

function decoded(batch: Buffer): RawBatch {
  const codec = codecOf(batch, 0);
  const base = baseOffsetOf(batch, 0);
  const body = batch.subarray(HEADER_BYTES);
  const records = codec === 0 ? body : decompress(codec, body, base);
  const cursor = new Cursor(records, base, endOffsetOf(batch, 0));
  const baseTimestamp = readInt64(batch, BASE_TIMESTAMP_AT);
  const list: RawRecord[] = [];
  for (let left = batch.readInt32BE(COUNT_AT); left > 0; left--) list.push(cursor.record(baseTimestamp));
  if (cursor.at !== records.length) throw malformed(base, `${records.length - cursor.at} bytes follow its last record`);
  return { records, list };
}

/** When its tombstones may go; nothing when that was not yet said. */
export function horizonOf(batch: Buffer): number | undefined {
  return (batch[22]! & HORIZON) === 0 ? undefined : readInt64(batch, BASE_TIMESTAMP_AT);
}

/** The batch with `kept` of its records only, one at least; a new `horizon` goes into its base timestamp. */
export function withRecords(batch: Buffer, raw: RawBatch, kept: readonly RawRecord[], horizon?: number): Buffer {
  let records: Buffer = Buffer.concat(kept.map((one) => recordBytes(raw.records, one, horizon)));
  const codec = codecOf(batch, 0);
  if (codec !== 0) records = compressLike(codec, records, batch.subarray(HEADER_BYTES));
  const header = Buffer.from(batch.subarray(0, HEADER_BYTES));
  if (horizon !== undefined) {
    header[22]! |= HORIZON;
    writeInt64(header, horizon, BASE_TIMESTAMP_AT);
  }
  if ((header[22]! & LOG_APPEND_TIME) === 0) {
    const latest = kept.reduce((most, { timestamp }) => Math.max(most, timestamp), -1);
    writeInt64(header, latest, MAX_TIMESTAMP_AT);
  }
  return sealed(header, records, kept.length);
}

/** The batch without records: what its producer last wrote, and where. */
export function emptied(batch: Buffer): Buffer {
  const header = Buffer.from(batch.subarray(0, HEADER_BYTES));
  header[22]! &= ~(CODEC | HORIZON);
  writeInt64(header, readInt64(header, MAX_TIMESTAMP_AT), BASE_TIMESTAMP_AT);
  return sealed(header, Buffer.alloc(0), 0);
}

function sealed(header: Buffer, records: Buffer, count: number): Buffer {
  header.writeInt32BE(HEADER_BYTES - 12 + records.length, 8);
  header.writeInt32BE(count, COUNT_AT);
  const batch = Buffer.concat([header, records]);
  setChecksum(batch);
  return batch;
}

/** As it is, or with its timestamp counted from the horizon. */
function recordBytes(
  records: Buffer,
  { start, end, restAt, timestamp }: RawRecord,
  horizon: number | undefined,
): Buffer {
  if (horizon === undefined) return records.subarray(start, end);
  const bytes = Buffer.allocUnsafe(end - restAt + 1 + MOST_VARLONG);
  bytes[0] = 0; // attributes: unused
  let at = putVarlong(bytes, 1, timestamp - horizon);
  at += records.copy(bytes, at, restAt, end);
  const length = Buffer.allocUnsafe(MOST_VARLONG);
  return Buffer.concat([length.subarray(0, putVarlong(length, 0, at)), bytes.subarray(0, at)]);
}

function putVarlong(bytes: Buffer, start: number, value: number): number {
  let at = start;
  let rest = value >= 0 ? value * 2 : -value * 2 - 1;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 0x80;
  bytes[at++] = rest;
  return at;
}

class Cursor {
  private readonly bytes: Buffer;
  private readonly base: number;
  private readonly batchEnd: number;
  at = 0;

  constructor(bytes: Buffer, base: number, batchEnd: number) {
    this.bytes = bytes;
    this.base = base;
    this.batchEnd = batchEnd;
  }

  record(baseTimestamp: number): RawRecord {
    const start = this.at;
    const end = this.varlong() + this.at;
    if (end <= this.at || end > this.bytes.length) throw malformed(this.base, 'a record ends behind it');
    this.at++; // attributes: unused
    const timestamp = baseTimestamp + this.varlong();
    const restAt = this.at;
    if (Math.abs(timestamp) > MAX_TIMESTAMP) throw malformed(this.base, `a record's timestamp is ${timestamp}`);
    const offset = this.base + this.varlong();
    if (offset < this.base || offset >= this.batchEnd) throw malformed(this.base, `a record's offset is ${offset}`);
    const keyBytes = this.varlong();
    const keyAt = this.at;
    this.at += Math.max(0, keyBytes);
    if (this.at > end) throw malformed(this.base, 'a key ends behind its record');
    const key = keyBytes < 0 ? undefined : this.bytes.toString('latin1', keyAt, this.at);
    const hasValue = this.varlong() >= 0;
    this.at = end;
    return { offset, timestamp, start, end, restAt, key, hasValue };
  }

  private varlong(): number {
    let value = 0;
    for (let n = 0, scale = 1; n < MOST_VARLONG; n++, scale *= 128) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
    throw malformed(this.base, 'it ends inside a number');
  }
}
