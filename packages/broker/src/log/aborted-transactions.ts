import { readInt64, writeInt64 } from './int64.ts';

/**
 * The transactions that were aborted by markers in one segment, in Kafka's file format, held in memory as those bytes:
 * version int16 = 0, producerId, firstOffset, lastOffset (the marker's) and lastStableOffset (as it was then), int64
 * each, in the order of the markers. A segment without any has no file.
 *
 * `lastStableOffset` ends a search: no transaction that is aborted by a later marker began before it.
 */
const ENTRY = 34;

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly lastStableOffset: number;
}

export class AbortedTransactions {
  private bytes: Buffer = Buffer.alloc(0);
  count = 0;

  /** Those that a segment's file holds; nothing when it is not what was written. */
  static from(file: Buffer, segmentBase: number): AbortedTransactions | undefined {
    if (file.length % ENTRY !== 0) return undefined;
    const read = new AbortedTransactions();
    read.bytes = file;
    for (; read.count * ENTRY < file.length; read.count++) {
      const { firstOffset, lastOffset } = read.at(read.count);
      const before = read.count === 0 ? segmentBase - 1 : read.at(read.count - 1).lastOffset;
      const version = file.readInt16BE(read.count * ENTRY);
      if (version !== 0 || firstOffset < 0 || firstOffset >= lastOffset || lastOffset <= before) return undefined;
    }
    return read;
  }

  /** The file's bytes. */
  file(): Buffer {
    return this.bytes.subarray(0, this.count * ENTRY);
  }

  /** Nothing happens when its marker is not behind the last one's. */
  add({ producerId, firstOffset, lastOffset, lastStableOffset }: AbortedTransaction): void {
    if (this.count > 0 && this.at(this.count - 1).lastOffset >= lastOffset) return;
    const at = this.count * ENTRY;
    if (at === this.bytes.length) {
      const grown = Buffer.alloc(Math.max(ENTRY * 4, at * 2));
      this.bytes.copy(grown);
      this.bytes = grown;
    }
    writeInt64(this.bytes, producerId, at + 2);
    writeInt64(this.bytes, firstOffset, at + 10);
    writeInt64(this.bytes, lastOffset, at + 18);
    writeInt64(this.bytes, lastStableOffset, at + 26);
    this.count++;
  }

  /** Keeps those whose markers stand before `offset`. */
  cutFrom(offset: number): void {
    this.count = this.firstBehind(offset);
  }

  /** Adds to `into` those that reach into [from, end); true when no later segment has more of them. */
  collect(from: number, end: number, into: AbortedTransaction[]): boolean {
    for (let n = this.firstBehind(from); n < this.count; n++) {
      const one = this.at(n);
      if (one.firstOffset < end) into.push(one);
      if (one.lastStableOffset >= end) return true;
    }
    return false;
  }

  *[Symbol.iterator](): Iterator<AbortedTransaction> {
    for (let n = 0; n < this.count; n++) yield this.at(n);
  }

  /** How many markers stand before `offset`. */
  private firstBehind(offset: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (readInt64(this.bytes, middle * ENTRY + 18) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private at(n: number): AbortedTransaction {
    const at = n * ENTRY;
    return {
      producerId: readInt64(this.bytes, at + 2),
      firstOffset: readInt64(this.bytes, at + 10),
      lastOffset: readInt64(this.bytes, at + 18),
      lastStableOffset: readInt64(this.bytes, at + 26),
    };
  }
}
