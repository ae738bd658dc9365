import { readInt64, writeInt64 } from './int64.ts';

/**
 * The two indexes of a segment in Kafka's file formats, held in memory as those bytes.
 *
 * Offset index: (relative offset int32, position int32): a batch starts at that position with that base offset. Time
 * index: (timestamp int64, relative offset int32): no record up to that offset is later than that timestamp. Both only
 * grow, in both columns. The log itself proves an offset entry (a batch of that offset stands there, or the entry is
 * wrong), but nothing proves a time entry; so recovery takes only entries that are known to have been synced.
 */
const OFFSET_ENTRY = 8;
export const TIME_ENTRY = 12;
/** One offset entry at most for this many bytes of log, as in Kafka. */
export const INDEX_INTERVAL = 4096;

export class SegmentIndex {
  private offsets = new Entries(OFFSET_ENTRY);
  private times = new Entries(TIME_ENTRY);
  private lastTimestamp = -1;

  /** The two files' bytes. */
  files(): { offsets: Buffer; times: Buffer } {
    return { offsets: this.offsets.bytes(), times: this.times.bytes() };
  }

  /** Takes the files' entries below the relative offset `known`; false, and empty, when they are not what was written. */
  load(offsets: Buffer, times: Buffer, known: number): boolean {
    for (let at = 0; at + OFFSET_ENTRY <= offsets.length; at += OFFSET_ENTRY) {
      const offset = offsets.readInt32BE(at);
      if (offset >= known) break;
      if (!this.addOffset(offset, offsets.readInt32BE(at + 4))) return this.clear();
    }
    for (let at = 0; at + TIME_ENTRY <= times.length; at += TIME_ENTRY) {
      const offset = times.readInt32BE(at + 8);
      if (offset >= known) break;
      const before = this.times.count;
      this.addTime(readInt64(times, at), offset);
      if (this.times.count === before) return this.clear();
    }
    return true;
  }

  /** False when it does not grow. */
  addOffset(relativeOffset: number, position: number): boolean {
    const last = this.offsets.count - 1;
    if (last >= 0 && (this.offsetAt(last) >= relativeOffset || this.positionAt(last) >= position)) return false;
    const at = this.offsets.grow();
    this.offsets.buffer.writeInt32BE(relativeOffset, at);
    this.offsets.buffer.writeInt32BE(position, at + 4);
    return true;
  }

  /** Nothing happens when it does not grow. */
  addTime(timestamp: number, relativeOffset: number): void {
    if (timestamp <= this.lastTimestamp) return;
    const last = this.times.count - 1;
    if (last >= 0 && this.times.buffer.readInt32BE(last * TIME_ENTRY + 8) >= relativeOffset) return;
    const at = this.times.grow();
    writeInt64(this.times.buffer, timestamp, at);
    this.times.buffer.writeInt32BE(relativeOffset, at + 8);
    this.lastTimestamp = timestamp;
  }

  /** A position from which the batch that holds the offset is found by walking forward. */
  positionFor(relativeOffset: number): number {
    const n = lastWhere(this.offsets.count, (n) => this.offsetAt(n) <= relativeOffset);
    return n < 0 ? 0 : this.positionAt(n);
  }

  /** The last entry that is at or before both a position and an offset: where a walk of the rest may begin. */
  entryBefore(position: number, relativeOffset: number): { relativeOffset: number; position: number } {
    const isBefore = (n: number) => this.positionAt(n) <= position && this.offsetAt(n) <= relativeOffset;
    const n = lastWhere(this.offsets.count, isBefore);
    return n < 0
      ? { relativeOffset: 0, position: 0 }
      : { relativeOffset: this.offsetAt(n), position: this.positionAt(n) };
  }

  /** A relative offset such that every record before it is earlier than `timestamp`. */
  offsetForTime(timestamp: number): number {
    const n = lastWhere(this.times.count, (n) => readInt64(this.times.buffer, n * TIME_ENTRY) < timestamp);
    return n < 0 ? 0 : this.times.buffer.readInt32BE(n * TIME_ENTRY + 8) + 1;
  }

  /** The greatest timestamp that has an entry; -1 without any. */
  get maxTimestamp(): number {
    return this.lastTimestamp;
  }

  private offsetAt(n: number): number {
    return this.offsets.buffer.readInt32BE(n * OFFSET_ENTRY);
  }

  private positionAt(n: number): number {
    return this.offsets.buffer.readInt32BE(n * OFFSET_ENTRY + 4);
  }

  private clear(): false {
    this.offsets = new Entries(OFFSET_ENTRY);
    this.times = new Entries(TIME_ENTRY);
    this.lastTimestamp = -1;
    return false;
  }
}

class Entries {
  private readonly width: number;
  buffer: Buffer;
  count = 0;

  constructor(width: number) {
    this.width = width;
    this.buffer = Buffer.alloc(0);
  }

  /** Makes room for one more entry and says where it goes. */
  grow(): number {
    const at = this.count * this.width;
    if (at + this.width > this.buffer.length) {
      const grown = Buffer.alloc(Math.max(this.width * 64, this.buffer.length * 2));
      this.buffer.copy(grown, 0, 0, at);
      this.buffer = grown;
    }
    this.count++;
    return at;
  }

  bytes(): Buffer {
    return this.buffer.subarray(0, this.count * this.width);
  }
}

/** The last n in [0, count) for which a monotone test still holds; -1 when it never does. */
function lastWhere(count: number, holds: (n: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
