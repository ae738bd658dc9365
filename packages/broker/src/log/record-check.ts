import { decompress } from './decompress.ts';
import { readInt64 } from './int64.ts';
import { codecOf, expectRoomFor, HEADER_BYTES, headerOf, malformed } from './record-batch.ts';
import { VarintReader } from './varint-reader.ts';

/**
 * Looks at every record of a client's batch without keeping any, whatever the codec, as Kafka does before it takes a
 * batch: what passes here every reader can read. The offsets must count from 0 on; Kafka numbers those of a compressed
 * batch anew where they do not, and leaves those of another as they are.
 */
export interface RecordsSeen {
  /** Of all records; -1 where none has one. */
  readonly maxTimestamp: number;
  /** Which records, from 0, have no key. */
  readonly keyless: readonly number[];
  /** Which records have a timestamp that is out of bounds. */
  readonly untimely: readonly number[];
}

const NO_TIMESTAMP = -1;

/** Throws CORRUPT_MESSAGE where they are not what the batch's header says. Needs a batch that `faultOf` passed. */
export function recordsSeen(batch: Buffer, earliest: number, latest: number): RecordsSeen {
  const { count, baseTimestamp } = headerOf(batch, 0);
  const codec = codecOf(batch, 0);
  const packed = batch.subarray(HEADER_BYTES);
  const records = codec === 0 ? packed : decompress(codec, packed, readInt64(batch, 0));
  expectRoomFor(count, records, 0);
  const walk = new Walk(records);
  const keyless: number[] = [];
  const untimely: number[] = [];
  let maxTimestamp = NO_TIMESTAMP;
  for (let n = 0; n < count; n++) {
    const timestamp = baseTimestamp + walk.pass(n);
    if (!walk.hasKey) keyless.push(n);
    if (timestamp === NO_TIMESTAMP) continue;
    if (timestamp < earliest || timestamp > latest) untimely.push(n);
    if (timestamp > maxTimestamp) maxTimestamp = timestamp;
  }
  walk.expectEnd();
  return { maxTimestamp, keyless, untimely };
}

class Walk extends VarintReader {
  /** Of the record that was passed last. */
  hasKey = false;

  /** Passes record `n`; gives its timestamp's difference to the batch's first. */
  pass(n: number): number {
    const length = this.varint();
    const end = this.at + length;
    if (length < 0 || end > this.end) this.fail(`a record claims ${length} bytes, ${this.end - this.at} are left`);
    this.at++; // attributes: unused
    const timestampDelta = this.varlong();
    const offsetDelta = this.varint();
    if (offsetDelta !== n) this.fail(`record ${n} has the offset delta ${offsetDelta}`);
    this.hasKey = this.skip();
    this.skip();
    const headers = this.varint();
    if (headers < 0 || headers * 2 > this.end - this.at) this.fail(`a record claims ${headers} headers`);
    for (let left = headers; left > 0; left--) {
      if (!this.skip()) this.fail('a header has no key');
      this.skip();
    }
    if (this.at !== end) this.fail(`a record claims ${length} bytes and has ${this.at - end + length}`);
    return timestampDelta;
  }

  expectEnd(): void {
    if (this.at !== this.end) this.fail(`${this.end - this.at} bytes follow its last record`);
  }

  /** False for null. */
  private skip(): boolean {
    const length = this.varint();
    if (length < -1 || length > this.end - this.at) {
      this.fail(`a field claims ${length} bytes, ${this.end - this.at} are left`);
    }
    if (length < 0) return false;
    this.at += length;
    return true;
  }

  protected fail(what: string): never {
    throw malformed(0, what);
  }
}
