import { LogError } from '../errors.ts';
import type { AbortedTransaction } from './aborted-transactions.ts';
import type { LogRecord } from './api.ts';
import type { Allocate, BatchReader } from './batch-reader.ts';
import {
  baseOffsetOf,
  claimedSize,
  decodeControlRecords,
  decodeRecords,
  endOffsetOf,
  isControl,
  isTransactional,
  maxTimestampOf,
  producerOf,
} from './record-batch.ts';
import type { Segment } from './segment.ts';

/**
 * What is read of a partition: records, for readers in this process, who see what is committed and nothing else; or the
 * bytes of whole batches, as clients fetch them, who are told which transactions were aborted and leave those out.
 */
export interface Readable {
  readonly name: string;
  readonly start: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly end: number;
}

export interface ReadOptions {
  /** Nothing from the last stable offset on, and with the aborted transactions. */
  readonly committedOnly?: boolean;
  /** The first batch is given even if it is larger than asked for; true when absent. */
  readonly atLeastOne?: boolean;
  /** Where the memory comes from; fresh when absent. */
  readonly allocate?: Allocate;
}

export interface ReadBatches {
  /** Views of what was read, whole batches one after the other; the first may begin before the offset asked for. */
  readonly batches: readonly Buffer[];
  /** Their bytes. */
  readonly size: number;
  /** After the last batch; the offset asked for when there is none. */
  readonly nextOffset: number;
  /** With `committedOnly`: those that have records in the batches, in the order of their markers. */
  readonly aborted: readonly { readonly producerId: number; readonly firstOffset: number }[];
}

const CHUNK = 1024 * 1024;
const TIME_CHUNK = 64 * 1024;

export class PartitionReader {
  private readonly partition: Readable;
  private readonly segments: readonly Segment[];
  private readonly batches: BatchReader;

  constructor(partition: Readable, segments: readonly Segment[], batches: BatchReader) {
    this.partition = partition;
    this.segments = segments;
    this.batches = batches;
  }

  /** Committed records: one at least, if there is any before the last stable offset. */
  read(offset: number, maxBytes: number): { records: LogRecord[]; nextOffset: number } {
    const { start, highWatermark, lastStableOffset: limit } = this.partition;
    this.expectIn(offset, start, highWatermark);
    const records: LogRecord[] = [];
    let nextOffset = offset;
    while (records.length === 0 && nextOffset < limit) {
      const from = nextOffset;
      this.batches.eachBatch(from, maxBytes, (bytes, at) => {
        if (baseOffsetOf(bytes, at) >= limit) return false;
        if (!this.isAborted(bytes, at)) decodeRecords(bytes, at, offset, records);
        nextOffset = endOffsetOf(bytes, at);
        return true;
      });
      // Compaction left no batch before the limit.
      if (nextOffset === from) nextOffset = limit;
    }
    return { records, nextOffset };
  }

  readBatches(offset: number, maxBytes: number, options: ReadOptions = {}): ReadBatches {
    const { committedOnly = false, atLeastOne = true, allocate } = options;
    const { start, end, highWatermark, lastStableOffset } = this.partition;
    this.expectIn(offset, start, end);
    const limit = committedOnly ? lastStableOffset : highWatermark;
    const batches: Buffer[] = [];
    let size = 0;
    let nextOffset = offset;
    while (nextOffset < limit && (size < maxBytes || size === 0)) {
      const first = atLeastOne && size === 0;
      const piece = this.pieceFrom(nextOffset, limit, maxBytes - size, first, size > 0, allocate);
      if (piece === undefined) break;
      batches.push(piece.bytes);
      size += piece.bytes.length;
      nextOffset = piece.end;
    }
    const aborted = committedOnly && size > 0 ? this.abortedIn(offset, nextOffset) : [];
    return { batches, size, nextOffset, aborted };
  }

  /** The first record below `limit` that is at or after `timestamp`. */
  firstSince(timestamp: number, limit: number): { offset: number; timestamp: number } | undefined {
    for (const segment of this.segments) {
      if (segment.maxTimestamp < timestamp) continue;
      let offset = Math.max(this.partition.start, segment.base + segment.index.offsetForTime(timestamp));
      while (offset < limit) {
        let found: LogRecord | undefined;
        let next = limit;
        this.batches.eachBatch(offset, TIME_CHUNK, (bytes, at) => {
          if (baseOffsetOf(bytes, at) >= limit) return false;
          next = endOffsetOf(bytes, at);
          if (maxTimestampOf(bytes, at) < timestamp) return true;
          const records: LogRecord[] = [];
          // As in Kafka a marker counts, too: else a partition that ends with one would have no latest time.
          if (isControl(bytes, at)) decodeControlRecords(bytes, at, records);
          else decodeRecords(bytes, at, offset, records);
          found = records.find((record) => record.offset >= offset && record.timestamp >= timestamp);
          return found === undefined;
        });
        if (found !== undefined) return { offset: found.offset, timestamp: found.timestamp };
        offset = next;
      }
    }
    return undefined;
  }

  /** The first of the records below `limit` with the greatest timestamp. */
  latestByTime(limit: number): { offset: number; timestamp: number } | undefined {
    let greatest = -1;
    for (const { maxTimestamp } of this.segments) greatest = Math.max(greatest, maxTimestamp);
    return greatest < 0 ? undefined : this.firstSince(greatest, limit);
  }

  expectIn(offset: number, least: number, most: number): void {
    if (offset >= least && offset <= most && Number.isInteger(offset)) return;
    throw new LogError('OFFSET_OUT_OF_RANGE', `${this.partition.name}: offset ${offset} is not in [${least}, ${most}]`);
  }

  /** What one read finds of the batches from `offset` on; nothing when the next one does not fit or is not to be read. */
  private pieceFrom(
    offset: number,
    limit: number,
    maxBytes: number,
    first: boolean,
    hasMore: boolean,
    allocate: Allocate | undefined,
  ): { bytes: Buffer; end: number } | undefined {
    let chunk: Buffer | undefined;
    let from = 0;
    let to = 0;
    let end = offset;
    try {
      this.batches.eachBatch(
        offset,
        Math.min(maxBytes, CHUNK),
        (bytes, at) => {
          if (baseOffsetOf(bytes, at) >= limit) return false;
          const size = claimedSize(bytes, at);
          if (chunk === undefined) {
            if (size > maxBytes && !first) return false;
            chunk = bytes;
            from = at;
          }
          to = at + size;
          end = endOffsetOf(bytes, at);
          return true;
        },
        first ? Number.POSITIVE_INFINITY : maxBytes,
        allocate,
      );
    } catch (error) {
      // What stands before damage is given; the next read starts at it, and throws.
      if (!hasMore) throw error;
    }
    return chunk === undefined ? undefined : { bytes: chunk.subarray(from, to), end };
  }

  /** The aborted transactions with records in [from, end). */
  private abortedIn(from: number, end: number): AbortedTransaction[] {
    const found: AbortedTransaction[] = [];
    for (let n = this.batches.segmentNumberOf(from); n < this.segments.length; n++) {
      if (this.segments[n]!.aborted.collect(from, end, found)) break;
    }
    return found;
  }

  private isAborted(bytes: Buffer, at: number): boolean {
    if (!isTransactional(bytes, at)) return false;
    const producerId = producerOf(bytes, at)?.producerId;
    const base = baseOffsetOf(bytes, at);
    return this.abortedIn(base, base + 1).some((one) => one.producerId === producerId);
  }
}
