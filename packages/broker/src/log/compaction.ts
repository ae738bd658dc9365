import type { AbortedTransaction } from './aborted-transactions.ts';
import { LatestOffsets, type RetentionRules, retained, TransactionsPassed } from './batch-retention.ts';
import type { Clock } from './clock.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Partition } from './partition.ts';
import { baseOffsetOf, claimedSize, endOffsetOf, faultOf, HEADER_BYTES, isControl } from './record-batch.ts';
import { rawRecords } from './record-filter.ts';
import type { RecoveryPoints } from './recovery-points.ts';
import { Segment } from './segment.ts';
import { SegmentReplacement } from './segment-replacement.ts';

/**
 * One compaction of a partition, by Kafka's rules (`batch-retention.ts`): the keys of what is dirty are read into a map,
 * latest offset by key, then every segment from the first to the end of the map is written again without what is
 * outdated. Keys are kept whole, not as hashes, so none is ever taken for another; when they take more than `mapBytes`,
 * the map ends there, and the next compaction goes on.
 *
 * Small segments that stand side by side become one. A segment of which nothing goes is left as it is. The work is done
 * in slices of some milliseconds, between which `pause` lets others run; only exchanging the files needs the line of the
 * group commit.
 */
export interface CompactionOptions {
  readonly partition: Partition;
  readonly clock: Clock;
  readonly commit: GroupCommit;
  readonly points: RecoveryPoints;
  readonly mapBytes: number;
  /** Throws when there is no time any more. */
  readonly pause: () => Promise<void>;
}

const CHUNK = 1024 * 1024;
/** Bytes of records that are looked at between two pauses: some 2 ms. */
const SLICE = 128 * 1024;
const MOST_RELATIVE_OFFSET = 2 ** 31 - 1;

/** The partition changed below the compaction: a segment went, or the partition. Nothing is lost by stopping. */
export class CompactionStopped extends Error {
  override readonly name = 'CompactionStopped';
}

export class Compaction {
  private readonly options: CompactionOptions;
  private readonly partition: Partition;
  private readonly aborted: readonly AbortedTransaction[];
  private worked = 0;

  constructor(options: CompactionOptions) {
    this.options = options;
    this.partition = options.partition;
    this.aborted = options.partition.abortedTransactions();
  }

  /** Compacts `segments`, which are closed and stable and all there are before `end`. */
  async run(segments: readonly Segment[], end: number): Promise<void> {
    const { partition } = this;
    const latest = await this.latestOffsets(segments, end);
    const upTo = segments.filter((segment) => segment.base < latest.end);
    const next = (segment: Segment) => segments[segments.indexOf(segment) + 1]?.base ?? end;
    const rules: RetentionRules = {
      latest,
      transactions: new TransactionsPassed(this.aborted),
      lastOf: (producerId) => partition.lastOf(producerId),
      end,
      now: this.options.clock.now(),
      deleteRetention: partition.config['delete.retention.ms'],
    };
    for (const group of groupsOf(upTo, partition.config['segment.bytes'], next)) {
      await this.rewrite(group, next(group.at(-1)!), rules);
    }
    await this.options.commit.exclusively(() => this.settle(latest.end, latest.end === end));
  }

  private async latestOffsets(segments: readonly Segment[], end: number): Promise<LatestOffsets> {
    const from = this.partition.firstDirty;
    const latest = new LatestOffsets(this.options.mapBytes);
    // A marker before `from` is not passed, and must not be waited for.
    const transactions = new TransactionsPassed(this.aborted.filter(({ lastOffset }) => lastOffset >= from));
    for (const [n, segment] of segments.entries()) {
      const next = segments[n + 1]?.base ?? end;
      if (next <= from) continue;
      for (const bytes of this.batches(segment)) {
        if (latest.full) return latest;
        this.addKeys(bytes, from, latest, transactions);
        latest.end = Math.max(from, endOffsetOf(bytes, 0));
        await this.work(bytes.length);
      }
      latest.end = next;
    }
    return latest;
  }

  private addKeys(batch: Buffer, from: number, latest: LatestOffsets, transactions: TransactionsPassed): void {
    if (isControl(batch, 0)) {
      transactions.isSpent(batch);
      return;
    }
    if (transactions.isAborted(batch) || endOffsetOf(batch, 0) <= from) return;
    const raw = rawRecords(batch);
    if (raw === undefined) return;
    this.worked += raw.records.length;
    for (const { key, offset } of raw.list) if (key !== undefined && offset >= from) latest.put(key, offset);
  }

  /** Writes a group of segments again as one, and exchanges them, if that changes anything. */
  private async rewrite(group: readonly Segment[], end: number, rules: RetentionRules): Promise<void> {
    const { place } = this.partition;
    const segment = new Segment(place, group[0]!.base);
    segment.writtenAt = group.at(-1)!.writtenAt;
    const replacement = new SegmentReplacement(place, segment);
    let changed = group.length > 1;
    let announced = false;
    try {
      const writer = new Appender(segment);
      for (const one of group) {
        for (const bytes of this.batches(one)) {
          const rest = retained(bytes, rules);
          changed ||= rest !== bytes;
          if (rest !== undefined) writer.add(rest);
          await this.work(bytes.length);
        }
      }
      writer.flush();
      if (!changed) return;
      await this.options.commit.exclusively(async () => {
        this.expectSame(group);
        await this.beginRewriting(end);
        await replacement.sync(this.options.commit);
        await replacement.announce(this.options.commit, end);
        announced = true;
        await this.exchange(group, segment, replacement, end);
      });
    } finally {
      if (!announced && this.options.commit.stopped === undefined) replacement.discard();
      else if (!announced) segment.release();
    }
  }

  private async beginRewriting(end: number): Promise<void> {
    const { partition, options } = this;
    partition.beginRewriting(end);
    await options.points.flush();
    if (options.points.waits(partition.cell)) throw new CompactionStopped('the disk refuses the mark');
  }

  private async exchange(
    group: readonly Segment[],
    segment: Segment,
    replacement: SegmentReplacement,
    end: number,
  ): Promise<void> {
    const { commit } = this.options;
    const { partition } = this;
    segment.readable = segment.size;
    try {
      partition.replace(group, segment);
      for (const one of group) one.remove();
      await replacement.finish(commit, end);
      segment.saveIndex();
      await commit.syncDirectory(partition.place.directory);
      await segment.syncIndex(commit);
      segment.close();
    } catch (error) {
      // The next open finishes it; until then the segment serves from its open file, and nothing more is compacted.
      partition.compactionFailed = true;
      throw error;
    }
  }

  /** Says durably up to where all is done. */
  private async settle(dirtyFrom: number, clean: boolean): Promise<void> {
    this.partition.endRewriting(dirtyFrom, clean);
    await this.options.points.flush();
  }

  private expectSame(group: readonly Segment[]): void {
    if (group.every((segment) => this.partition.has(segment))) return;
    throw new CompactionStopped('the segments are gone');
  }

  private async work(bytes: number): Promise<void> {
    this.worked += bytes;
    if (this.worked < SLICE) return;
    this.worked = 0;
    await this.options.pause();
  }

  /** Every batch of a closed segment, checked, each in bytes of its own. */
  private *batches(segment: Segment): Generator<Buffer> {
    let offset = segment.base;
    for (let position = 0; position < segment.size; ) {
      if (!this.partition.has(segment)) throw new CompactionStopped('the segment is gone');
      const chunk = readAt(segment, position, Math.max(CHUNK, HEADER_BYTES));
      let at = 0;
      while (chunk.length - at >= HEADER_BYTES && claimedSize(chunk, at) <= chunk.length - at) {
        const fault =
          faultOf(chunk, at, chunk.length) ?? (baseOffsetOf(chunk, at) < offset ? 'it starts earlier' : undefined);
        if (fault !== undefined) throw this.partition.damaged(offset, fault);
        const size = claimedSize(chunk, at);
        offset = endOffsetOf(chunk, at);
        yield chunk.subarray(at, at + size);
        at += size;
      }
      if (at === 0) {
        const whole = readAt(segment, position, chunk.length < HEADER_BYTES ? chunk.length : claimedSize(chunk, 0));
        const fault = faultOf(whole, 0, whole.length);
        if (fault !== undefined) throw this.partition.damaged(offset, fault);
        offset = endOffsetOf(whole, 0);
        yield whole;
        at = whole.length;
      }
      position += at;
    }
  }
}

function readAt(segment: Segment, position: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Math.min(length, segment.size - position));
  return bytes.subarray(0, segment.file.read(bytes, position));
}

/** Appends to a segment in pieces larger than a batch. */
class Appender {
  private readonly segment: Segment;
  private readonly waiting: Buffer[] = [];
  private bytes = 0;

  constructor(segment: Segment) {
    this.segment = segment;
  }

  add(batch: Buffer): void {
    // A view of the chunk that was read would keep all of it until the next write.
    this.waiting.push(Buffer.from(batch));
    this.bytes += batch.length;
    if (this.bytes >= SLICE) this.flush();
  }

  flush(): void {
    if (this.bytes === 0) return;
    this.segment.appendAll(this.waiting);
    this.waiting.length = 0;
    this.bytes = 0;
  }
}

/** Neighbours that are together no larger than a segment may be, and whose offsets fit one. */
function groupsOf(segments: readonly Segment[], segmentBytes: number, next: (segment: Segment) => number): Segment[][] {
  const groups: Segment[][] = [];
  let size = 0;
  for (const segment of segments) {
    const group = groups.at(-1);
    const fits = group !== undefined && size + segment.size <= segmentBytes;
    if (fits && next(segment) - 1 - group[0]!.base <= MOST_RELATIVE_OFFSET) {
      group.push(segment);
      size += segment.size;
    } else {
      groups.push([segment]);
      size = segment.size;
    }
  }
  return groups;
}
