import type { LogError } from '../errors.ts';
import { baseOffsetOf, claimedSize, endOffsetOf, faultOf, HEADER_BYTES } from './record-batch.ts';
import type { Segment } from './segment.ts';
import { storageError } from './storage.ts';

/**
 * Finds batches by offset in a partition's segments and checks each before it is given: its checksum, and that it
 * stands where its offset belongs: next to the one before, except where compaction may have taken what was between. The
 * position at which a read ended is kept by the offset there, so that whoever goes on reading needs no index.
 */
const CURSORS = 64;

/** Where the memory for a read comes from. */
export type Allocate = (bytes: number) => Buffer;

export class BatchReader {
  private readonly segments: readonly Segment[];
  /** Tells the partition of damage; gives the error to throw. */
  private readonly corrupt: (offset: number, what: string) => LogError;
  /** Below it offsets may be missing. */
  private readonly compacted: () => number;
  /** Offset to position in its segment. */
  private readonly cursors = new Map<number, number>();

  constructor(
    segments: readonly Segment[],
    corrupt: (offset: number, what: string) => LogError,
    compacted: () => number,
  ) {
    this.segments = segments;
    this.corrupt = corrupt;
    this.compacted = compacted;
  }

  /** A new segment starts at `offset`: the position at the end of the one before is no longer where it stands. */
  forget(offset: number): void {
    this.cursors.delete(offset);
  }

  /** Segments were replaced: no position below `offset` is where it was. */
  forgetBelow(offset: number): void {
    for (const known of this.cursors.keys()) if (known <= offset) this.cursors.delete(known);
  }

  /**
   * Calls `each` with checked batches from the one that holds `offset` on: what fits in `maxBytes`, and one at least,
   * unless that is larger than `largest`. When `each` gives false, reading ends before the batch that it was called with.
   */
  eachBatch(
    offset: number,
    maxBytes: number,
    each: (bytes: Buffer, at: number) => boolean,
    largest = Number.POSITIVE_INFINITY,
    allocate: Allocate = Buffer.allocUnsafeSlow,
  ): void {
    try {
      this.walk(offset, maxBytes, each, largest, allocate);
    } catch (error) {
      throw storageError(`cannot read from offset ${offset} on`, error);
    }
  }

  private walk(
    offset: number,
    maxBytes: number,
    each: (bytes: Buffer, at: number) => boolean,
    largest: number,
    allocate: Allocate,
  ): void {
    let n = this.segmentNumberOf(offset);
    let segment = this.segments[n]!;
    let position = this.cursors.get(offset) ?? segment.index.positionFor(offset - segment.base);
    this.cursors.delete(offset);
    let left = maxBytes;
    let next = offset;
    let stopped = false;
    while (!stopped) {
      if (position >= segment.readable && offset < this.compacted() && n + 1 < this.segments.length) {
        segment = this.segments[++n]!;
        position = 0;
        continue;
      }
      const chunk = this.readChunk(segment, position, Math.max(left, HEADER_BYTES), next, allocate);
      let at = 0;
      while (chunk.length - at >= HEADER_BYTES) {
        const size = claimedSize(chunk, at);
        if (size > chunk.length - at && position + at + size <= segment.readable && size >= HEADER_BYTES) break;
        const end = endOffsetOf(chunk, at);
        if (end > next || size < HEADER_BYTES) {
          const late = baseOffsetOf(chunk, at) > next && next >= this.compacted();
          const fault = faultOf(chunk, at, chunk.length) ?? (late ? 'it starts later' : undefined);
          if (fault !== undefined) {
            // What stands before it is given; the next read starts at it, and throws.
            if (next === offset) throw this.corrupt(next, fault);
            break;
          }
          if (!each(chunk, at)) {
            stopped = true;
            break;
          }
          left -= size;
          next = end;
        }
        at += size;
      }
      position += at;
      if (next > offset || (position >= segment.readable && offset >= this.compacted())) break;
      // Nothing but batches before the offset, or a batch larger than asked for: go on from here.
      if (at === 0) left = claimedSize(chunk, 0);
      if (at === 0 && left > largest) stopped = true;
    }
    if (next === offset && !stopped) throw this.corrupt(offset, 'its segment ends before it');
    if (next > offset || !stopped) this.keepCursor(next, position, segment);
  }

  segmentNumberOf(offset: number): number {
    const { segments } = this;
    let low = 0;
    let high = segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (segments[middle]!.base <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  private readChunk(segment: Segment, position: number, length: number, offset: number, allocate: Allocate): Buffer {
    if (position >= segment.readable) throw this.corrupt(offset, `its segment ends at byte ${segment.readable}`);
    const chunk = allocate(Math.min(length, segment.readable - position));
    const got = segment.file.read(chunk, position);
    if (got < HEADER_BYTES) throw this.corrupt(offset, `its file ends at byte ${position + got}`);
    return chunk.subarray(0, got);
  }

  private keepCursor(offset: number, position: number, segment: Segment): void {
    // At a closed segment's end the next batch is the first of the next one.
    if (position >= segment.readable && segment !== this.segments[this.segments.length - 1]) return;
    this.cursors.set(offset, position);
    if (this.cursors.size <= CURSORS) return;
    for (const oldest of this.cursors.keys()) {
      this.cursors.delete(oldest);
      return;
    }
  }
}
