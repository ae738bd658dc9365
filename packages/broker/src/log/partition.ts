import { LogError } from '../errors.ts';
import type { AbortedTransaction } from './aborted-transactions.ts';
import type { LogRecord, TopicConfig } from './api.ts';
import { BatchReader } from './batch-reader.ts';
import { expectFit, refusal } from './batch-validation.ts';
import type { Clock } from './clock.ts';
import type { Flushable, GroupCommit } from './group-commit.ts';
import { writeInt64 } from './int64.ts';
import { corruption, unknownPartition } from './partition-errors.ts';
import { PartitionReader, type ReadBatches, type ReadOptions } from './partition-reader.ts';
import type { ProducerSnapshots } from './producer-snapshots.ts';
import type { ProducerDescription, ProducerFault, ProducerStates } from './producer-state.ts';
import { lastOffsetDeltaOf, maxTimestampOf, producerOf } from './record-batch.ts';
import type { PartitionState } from './recovery.ts';
import type { Cell, RecoveryPoints } from './recovery-points.ts';
import { keptFrom } from './retention.ts';
import { Segment, type SegmentPlace } from './segment.ts';
import { isOutOfFiles, isSystemError } from './storage.ts';
import { segmentAge } from './topic-config.ts';
import { type Marker, markerBatch } from './transaction-marker.ts';
import { Watchers } from './watchers.ts';

/**
 * One partition: its segments in order, appended to at the end, read anywhere. Four offsets order its life:
 *
 *     start  ≤  lastStableOffset  ≤  highWatermark  ≤  end
 *
 * Before `start` is deleted. Before `lastStableOffset` no transaction is open, and every marker that ended one is durable.
 * Up to `highWatermark` may be read: it is durable, or, without fsync, written. Up to `end` is written. A reader never
 * sees a record that a power cut can take back (law 12).
 */
export interface PartitionOptions {
  readonly topic: string;
  readonly partition: number;
  readonly cell: Cell;
  readonly place: SegmentPlace;
  readonly commit: GroupCommit;
  readonly points: RecoveryPoints;
  readonly fsync: boolean;
  readonly clock: Clock;
  /** The topic's effective settings. */
  readonly config: () => TopicConfig;
  /** Throws where nobody of ours catches. */
  readonly rethrow: (error: unknown) => void;
  /** Told when a mark waits to be written. */
  readonly marked: () => void;
}

const MAX_RELATIVE_OFFSET = 2 ** 31 - 1;
/** Without fsync, how much may be written before a sync is asked for that nobody waits for. */
const LAZY_SYNC_BYTES = 64 * 1024 * 1024;

/** What became of a batch, or of the same batch when it was sent before. */
export interface Appended {
  readonly baseOffset: number;
  /** For `whenReadable`: when it is durable. */
  readonly end: number;
  /** The topic's message.timestamp.type is LogAppendTime, and this is the time; else -1. */
  readonly logAppendTime: number;
}

export class Partition implements Flushable {
  readonly topic: string;
  readonly partition: number;
  readonly cell: Cell;
  readonly place: SegmentPlace;
  private readonly options: PartitionOptions;
  private readonly segments: Segment[];
  private readonly reader: BatchReader;
  private readonly reads: PartitionReader;
  private readonly states: ProducerStates;
  private readonly snapshots: ProducerSnapshots;
  private readonly watchers: Watchers;
  /** What producers hold back until just before the next sync. */
  private readonly collectors = new Set<() => void>();
  /** The first segment that may hold unsynced bytes. */
  private firstUnsynced: Segment;
  private directoryUnsynced = false;
  private unsyncedBytes = 0;
  private synced: number;
  private indexed: number;
  private deleted = false;
  private compacted: number;
  private clean: boolean;
  private rewriting = false;
  /** From here on compaction has not looked. */
  firstDirty: number;
  /** Files were left half exchanged; the next open puts that right. */
  compactionFailed = false;
  start: number;
  lastStableOffset: number;
  highWatermark: number;
  end: number;
  /** Why this partition takes no more writes. */
  error: LogError | undefined;

  constructor(options: PartitionOptions, state: PartitionState) {
    this.topic = options.topic;
    this.partition = options.partition;
    this.cell = options.cell;
    this.place = options.place;
    this.options = options;
    this.segments = state.segments;
    this.reader = new BatchReader(
      state.segments,
      (offset, what) => this.corrupt(offset, what),
      () => this.compacted,
    );
    this.reads = new PartitionReader(this, state.segments, this.reader);
    this.states = state.producers;
    this.snapshots = state.snapshots;
    this.watchers = new Watchers(options.rethrow);
    this.firstUnsynced = this.active;
    this.start = state.start;
    this.end = state.end;
    this.highWatermark = state.end;
    this.synced = state.end;
    this.indexed = state.indexed;
    this.compacted = state.compacted;
    this.clean = state.clean;
    this.firstDirty = state.clean ? state.compacted : state.start;
    this.error = state.error;
    this.lastStableOffset = this.stableOffset();
  }

  get bytes(): number {
    let sum = 0;
    for (const segment of this.segments) sum += segment.size;
    return sum;
  }

  /** Of them what may be read. */
  get readableBytes(): number {
    let sum = 0;
    for (const segment of this.segments) sum += segment.readable;
    return sum;
  }

  // ---- writing ----

  /** Appends a whole, checked batch, setting its offsets in place; gives its base offset. Nothing happens when it throws. */
  append(batch: Buffer): number {
    this.expectWritable();
    const base = this.end;
    const delta = lastOffsetDeltaOf(batch, 0);
    try {
      const { active } = this;
      if (this.isFull(batch) || base + delta - active.base > MAX_RELATIVE_OFFSET) this.roll();
      writeInt64(batch, base, 0);
      batch.writeInt32BE(0, 12);
      this.active.append(batch);
    } catch (error) {
      throw this.writeFailed(error);
    }
    const now = this.options.clock.now();
    this.active.writtenAt = now;
    const aborted = this.states.follow(batch, 0, now);
    if (aborted !== undefined) this.active.addAborted(aborted);
    this.end = base + delta + 1;
    if (this.options.fsync) {
      this.options.commit.enqueue(this);
    } else {
      this.unsyncedBytes += batch.length;
      if (this.unsyncedBytes >= LAZY_SYNC_BYTES) this.options.commit.enqueue(this);
      this.active.rest();
      this.publish(this.active, this.active.size, this.end);
    }
    return base;
  }

  /**
   * Appends a batch as a client sent it, or answers for it if it is there already. Its records are kept as they came;
   * its header gets its offsets, and the right greatest timestamp. Nothing happens when it throws: a batch that is not fit, or
   * not the producer's next. That a transaction is open at its coordinator is for the caller to know.
   */
  appendFromClient(batch: Buffer): Appended {
    this.expectWritable();
    const config = this.options.config();
    const now = this.options.clock.now();
    const stamped = config['message.timestamp.type'] === 'LogAppendTime';
    expectFit(batch, config, now, this.name);
    const producer = producerOf(batch, 0);
    if (producer !== undefined) {
      const before = this.states.duplicateOf(producer, now);
      if (before !== undefined) {
        const { firstOffset, lastOffset, timestamp } = before;
        return { baseOffset: firstOffset, end: lastOffset + 1, logAppendTime: stamped ? timestamp : -1 };
      }
      this.expectNone(this.states.faultOf(producer, now));
    }
    const baseOffset = this.append(batch);
    return { baseOffset, end: this.end, logAppendTime: stamped ? now : -1 };
  }

  /** Ends a producer's transaction here. Without an open one the marker is kept all the same, as in Kafka. */
  appendMarker(marker: Marker): Appended {
    this.expectWritable();
    this.expectNone(this.states.faultOfMarker(marker));
    const now = this.options.clock.now();
    const baseOffset = this.append(markerBatch(marker, now));
    return { baseOffset, end: this.end, logAppendTime: -1 };
  }

  /** Whether a transaction of this producer has records here and no marker. */
  hasOpenTransaction(producerId: number): boolean {
    return this.states.hasOpenTransaction(producerId);
  }

  /** Those who wrote of late, or have a transaction open. */
  producers(): readonly ProducerDescription[] {
    return this.states.describe(this.options.clock.now());
  }

  /** Calls `done` when all before `end` is durable (without fsync: at once), or never will be. */
  whenReadable(end: number, done: (error: LogError | undefined) => void): void {
    if (this.highWatermark >= end) done(undefined);
    else if (this.error !== undefined) done(this.error);
    else this.watchers.wait(end, done);
  }

  /** Asks for a sync, before which `collect` is called once to append what should be in it. */
  beforeSync(collect: () => void): void {
    if (this.refusal !== undefined) {
      collect();
      return;
    }
    this.collectors.add(collect);
    this.options.commit.enqueue(this);
  }

  /** Starts a new segment: everything before it can then be deleted as a whole. */
  roll(): void {
    const old = this.active;
    if (old.size === 0) return;
    const next = new Segment(this.place, this.end);
    next.create();
    try {
      old.saveIndex();
      this.saveProducers();
    } catch (error) {
      next.remove();
      throw error;
    }
    this.segments.push(next);
    this.reader.forget(this.end);
    this.directoryUnsynced = true;
    this.options.commit.enqueue(this);
  }

  async flush(): Promise<void> {
    this.collect();
    if (this.deleted || this.error !== undefined) return;
    const { commit } = this.options;
    commit.withdraw(this);
    try {
      await this.sync();
    } catch (error) {
      commit.enqueue(this);
      throw error;
    }
  }

  /** What is not done when it throws, the next call does. */
  private async sync(): Promise<void> {
    const { commit } = this.options;
    const from = this.segments.indexOf(this.firstUnsynced);
    const rolled = this.segments.slice(from, -1);
    const { active, end } = this;
    const size = active.size;
    active.hold();
    this.unsyncedBytes = 0;
    if (!this.options.points.waits(this.cell)) this.snapshots.prune(this.indexed);
    if (this.directoryUnsynced) {
      await commit.syncDirectory(this.place.directory);
      this.directoryUnsynced = active !== this.active;
    }
    for (const segment of rolled) {
      await commit.sync(segment.file, segment.path);
      await segment.syncIndex(commit);
      segment.close();
    }
    await this.snapshots.sync(commit, active.base);
    await commit.sync(active.file, active.path);
    this.firstUnsynced = active;
    this.indexed = Math.max(this.indexed, active.base);
    this.synced = end;
    this.putMark();
    if (active.size === size) active.rest();
    if (this.options.fsync) this.publish(active, size, end);
  }

  /** For good: those who wait learn the error, and nothing more is written. Reading goes on. */
  refuse(error: LogError): void {
    this.error ??= error;
    this.collect();
    this.watchers.refuse(this.error);
  }

  private collect(): void {
    for (const collect of this.collectors) {
      this.collectors.delete(collect);
      collect();
    }
  }

  private writeFailed(cause: unknown): LogError {
    if (cause instanceof LogError) return cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const error = new LogError('KAFKA_STORAGE_ERROR', `${this.name}: cannot write at offset ${this.end}: ${reason}`, {
      cause,
    });
    if (isOutOfFiles(cause)) return error;
    try {
      this.active.cutTail();
    } catch (cutError) {
      // A piece of the batch is left behind the end, where the next append could leave a part of it standing.
      this.refuse(
        new LogError(
          'KAFKA_STORAGE_ERROR',
          `${this.name}: a write at offset ${this.end} failed (${reason}) and could not be taken back: close the log and open it again`,
          { cause: cutError, retriable: false },
        ),
      );
    }
    return error;
  }

  private publish(segment: Segment, size: number, end: number): void {
    // All segments before this one are whole by now.
    for (let n = this.segments.indexOf(segment) - 1; n >= 0; n--) {
      const before = this.segments[n]!;
      if (before.readable === before.size) break;
      before.readable = before.size;
    }
    segment.readable = size;
    if (end === this.highWatermark) return;
    this.highWatermark = end;
    this.lastStableOffset = this.stableOffset();
    this.watchers.durable(end);
    this.watchers.tell();
  }

  /** By size, or because the batch is so much later than the first. */
  private isFull(batch: Buffer): boolean {
    const { active, config } = this;
    const { firstTimestamp } = active;
    if (firstTimestamp === undefined) return false;
    if (active.size + batch.length > config['segment.bytes']) return true;
    return maxTimestampOf(batch, 0) - firstTimestamp > segmentAge(config);
  }

  private stableOffset(): number {
    const unstable = this.states.firstUnstable(this.highWatermark) ?? this.highWatermark;
    return Math.max(this.start, Math.min(unstable, this.highWatermark));
  }

  private saveProducers(): void {
    if (this.snapshots.has(this.end)) return;
    this.snapshots.write(this.end, this.states.snapshot(this.end, this.options.clock.now()));
  }

  /** Why nothing is appended now; to a closed log its files are another's. */
  private get refusal(): LogError | undefined {
    return this.error ?? this.options.commit.stopped;
  }

  private expectWritable(): void {
    const { refusal } = this;
    if (refusal !== undefined) throw refusal;
  }

  private expectNone(fault: ProducerFault | undefined): void {
    if (fault !== undefined) throw refusal(this.name, fault);
  }

  private putMark(): void {
    // Its cell may be another's by now.
    if (this.deleted) return;
    const { start, synced, indexed, compacted, clean, rewriting } = this;
    this.options.points.put(this.cell, { start, synced, indexed, compacted, clean, rewriting });
    this.options.marked();
  }

  // ---- reading ----

  onAppend(listener: () => void): () => void {
    return this.watchers.onAppend(listener);
  }

  /** Committed records from `offset` on; none only at the last stable offset, or behind it. */
  read(offset: number, maxBytes: number): { records: LogRecord[]; nextOffset: number } {
    return this.reads.read(offset, maxBytes);
  }

  /** The bytes of whole batches from the one that holds `offset` on; never from the high watermark on. */
  readBatches(offset: number, maxBytes: number, options?: ReadOptions): ReadBatches {
    return this.reads.readBatches(offset, maxBytes, options);
  }

  /** Calls `each` with checked batches from the one that holds `offset` on: what fits in `maxBytes`, and one at least. */
  eachBatch(offset: number, maxBytes: number, each: (bytes: Buffer, at: number) => void): void {
    this.reads.expectIn(offset, this.start, this.highWatermark);
    if (offset >= this.highWatermark) return;
    this.reader.eachBatch(offset, maxBytes, (bytes, at) => {
      each(bytes, at);
      return true;
    });
  }

  /** The first offset whose record is at or after `timestamp`; the last stable offset when there is none. */
  offsetForTime(timestamp: number): number {
    return this.firstSince(timestamp, this.lastStableOffset)?.offset ?? this.lastStableOffset;
  }

  /** The first record before `limit` that is at or after `timestamp`. */
  firstSince(timestamp: number, limit: number): { offset: number; timestamp: number } | undefined {
    return this.reads.firstSince(timestamp, limit);
  }

  /** The first of the records before `limit` that have the greatest timestamp. */
  latestByTime(limit: number): { offset: number; timestamp: number } | undefined {
    return this.reads.latestByTime(limit);
  }

  private corrupt(offset: number, what: string): LogError {
    const error = corruption(this.topic, this.partition, offset, what);
    this.refuse(error);
    return error;
  }

  // ---- deleting ----

  /** Lets go what lies before `offset`. The files go in a later turn, when the mark that says so is durable. */
  trimTo(offset: number): void {
    if (offset <= this.start) return;
    this.start = Math.min(offset, this.highWatermark);
    this.putMark();
    if (this.start <= this.lastStableOffset) return;
    this.lastStableOffset = this.stableOffset();
    this.watchers.tell();
  }

  /** Lets go what lies before `offset`, or all for -1; durable when it resolves to where the partition starts then. */
  async deleteRecordsBefore(offset: number): Promise<number> {
    if (offset !== -1) this.reads.expectIn(offset, 0, this.highWatermark);
    const { commit, points } = this.options;
    await commit.exclusively(async () => {
      if (this.error !== undefined) throw this.error;
      this.trimTo(offset === -1 ? this.highWatermark : offset);
      await points.flush();
      if (points.waits(this.cell)) {
        throw new LogError('KAFKA_STORAGE_ERROR', `${this.name}: where it starts could not be written`);
      }
      this.removeTrimmed();
    });
    return this.start;
  }

  /** Removes segments that lie before `start`, once the mark says so durably. Needs the group commit's line. */
  removeTrimmed(): void {
    if (this.options.points.waits(this.cell)) return;
    while (this.segments.length > 1) {
      const [first, second] = this.segments;
      if (second!.base > this.start || first === this.firstUnsynced) return;
      first!.remove();
      this.segments.shift();
    }
  }

  /** Where retention by age and size would have the partition start. */
  retainedFrom(oldest: number, maxBytes: number): number {
    const { active } = this;
    if (active.size > 0 && active.youngest < oldest && active.readable === active.size) {
      try {
        this.roll();
      } catch (error) {
        // On a full disk the segments that are closed can go all the same, and make room.
        if (!isSystemError(error)) throw error;
      }
    }
    return keptFrom(this.segments, this, oldest, maxBytes);
  }

  // ---- compacting ----

  get config(): TopicConfig {
    return this.options.config();
  }

  /** The segments from the first on that are closed and hold nothing but what is stable, and the offset after them. */
  closedSegments(): { readonly segments: readonly Segment[]; readonly end: number } {
    let count = 0;
    const endOf = (n: number) => this.segments[n + 1]!.base;
    while (count < this.segments.length - 1 && this.segments[count]!.closed && endOf(count) <= this.lastStableOffset) {
      count++;
    }
    return { segments: this.segments.slice(0, count), end: count === 0 ? this.start : endOf(count - 1) };
  }

  has(segment: Segment): boolean {
    return !this.deleted && this.error === undefined && this.segments.includes(segment);
  }

  /** Starts a new segment when the first record of the last is older than `oldest`, so that it can be compacted. */
  rollIfOlder(oldest: number): void {
    const { firstTimestamp } = this.active;
    if (this.error === undefined && firstTimestamp !== undefined && firstTimestamp < oldest) this.roll();
  }

  abortedTransactions(): AbortedTransaction[] {
    return this.segments.flatMap((segment) => [...segment.aborted]);
  }

  /** What an active producer wrote last: a batch of records that ends at that offset, or else a marker. */
  lastOf(producerId: number): { readonly epoch: number; readonly lastOffset: number | undefined } | undefined {
    return this.states.lastOf(producerId, this.options.clock.now());
  }

  /** Has the next mark say that offsets before `end` may be missing from now on, and index files wrong. */
  beginRewriting(end: number): void {
    this.compacted = Math.max(this.compacted, end);
    this.rewriting = true;
    this.clean = false;
    this.putMark();
  }

  /** Has readers find `segment` in the place of `old` ones, which stand side by side. */
  replace(old: readonly Segment[], segment: Segment): void {
    this.segments.splice(this.segments.indexOf(old[0]!), old.length, segment);
    this.reader.forgetBelow(this.compacted);
  }

  endRewriting(firstDirty: number, clean: boolean): void {
    this.firstDirty = firstDirty;
    this.compacted = Math.max(this.compacted, clean ? firstDirty : 0);
    this.rewriting = false;
    this.clean = clean;
    this.putMark();
  }

  damaged(offset: number, what: string): LogError {
    return this.corrupt(offset, what);
  }

  /** Lets go of the files, which are to be removed; listeners are told, too. Needs the group commit's line. */
  delete(): void {
    this.deleted = true;
    this.refuse(unknownPartition(this.topic, this.partition));
    this.release();
    this.options.points.drop(this.cell);
    this.watchers.tell();
  }

  /** Saves the index, so that the next open needs no walk. Needs an empty group commit. */
  async close(): Promise<void> {
    if (this.error !== undefined) return;
    try {
      if (!this.active.saveIndex()) return;
      this.saveProducers();
    } catch (error) {
      // A full or read-only disk: the next open walks the segment instead.
      if (isSystemError(error)) return;
      throw error;
    }
    await this.options.commit.syncDirectory(this.place.directory);
    await this.active.syncIndex(this.options.commit);
    await this.snapshots.sync(this.options.commit, this.end);
    this.indexed = this.end;
    this.putMark();
  }

  release(): void {
    for (const segment of this.segments) segment.release();
  }

  private get active(): Segment {
    return this.segments[this.segments.length - 1]!;
  }

  get name(): string {
    return `topic '${this.topic}' partition ${this.partition}`;
  }
}
