import type { LogError } from '../errors.ts';
import type { LogRecord, RecordHeader } from './api.ts';
import { BatchBuilder } from './batch-builder.ts';
import type { Clock } from './clock.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Partition } from './partition.ts';
import { PendingEntries, type TransactionProducer } from './pending-entries.ts';
import { decodeRecords, endOffsetOf, headerOf } from './record-batch.ts';
import type { RecoveryPoints } from './recovery-points.ts';
import { markerBatch, markerIn } from './transaction-marker.ts';

/**
 * A durable map kept as a log of records, the latest per key: what the topics are, what groups committed, where
 * transactions stand. It is an ordinary partition with all of its promises. When most of it is outdated, the live entries
 * are written again into a new segment and everything before is trimmed; a crash between the two leaves both, which says
 * the same.
 *
 * Entries may also be written as part of a producer's transaction, as Kafka does it: in transactional batches, which say
 * nothing until that producer's commit marker follows. A key is worth what was *written* last: an entry that commits late
 * does not undo what was written for its key in between, and a tombstone takes pending entries with it. What a rewriting
 * repeats counts as written when it first was.
 */
export interface KeyedLogOptions {
  readonly partition: Partition;
  readonly commit: GroupCommit;
  readonly points: RecoveryPoints;
  readonly clock: Clock;
}

/** A null value deletes the key. */
export interface Entry {
  readonly key: Buffer;
  readonly value: Buffer | null;
}

const REWRITE_ABOVE = 1024 * 1024;
const REWRITE_FACTOR = 4;
const BATCH_BYTES = 64 * 1024;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const NO_SEQUENCE = -1;
/**
 * Says of an entry that it only repeats what its key was worth, and so is older than what was pending then: else a
 * rewriting that broke off would undo that.
 */
const REWRITTEN: readonly RecordHeader[] = [{ key: 'rewritten', value: null }];

export class KeyedLog {
  private readonly options: KeyedLogOptions;
  private readonly live = new Map<string, Entry>();
  private readonly pending = new PendingEntries();
  private liveBytes = 0;
  /** What was pending at the last rewriting, which took it along. */
  private pendingBytes = 0;
  private rewriting = false;

  constructor(options: KeyedLogOptions) {
    this.options = options;
  }

  get partition(): Partition {
    return this.options.partition;
  }

  /** Reads everything, handing each entry to `each` when it counts: a transaction's, where its commit is. */
  load(each: (entry: Entry) => void): void {
    const { partition } = this.options;
    for (let offset = partition.start; offset < partition.highWatermark; ) {
      const from = offset;
      partition.eachBatch(from, 1024 * 1024, (bytes, at) => {
        offset = endOffsetOf(bytes, at);
        this.loadBatch(bytes, at, from, each);
      });
    }
  }

  /** Entries of transactions that have no marker, written if not yet durable. */
  undecided(): { readonly producerId: number; readonly key: Buffer }[] {
    return this.pending.all().map(({ producer, key }) => ({ producerId: producer.producerId, key }));
  }

  /** The keys that have a value, written if not yet durable. */
  keys(): Buffer[] {
    return [...this.live.values()].map(({ key }) => key);
  }

  /** What has a value, written if not yet durable. */
  entries(): Entry[] {
    return [...this.live.values()];
  }

  /** Writes all entries together; calls `durable` in the order of the writes, then resolves, when they are. */
  async put(entries: readonly Entry[], durable: () => void): Promise<void> {
    await this.whenDurable(this.append(entries), durable);
  }

  /** The same for who is in the line of the group commit already. */
  async putInLine(entries: readonly Entry[]): Promise<void> {
    this.append(entries);
    await this.options.partition.flush();
  }

  /** The same as `put`, but the entries count only from the commit of the producer's transaction on. */
  async pend(producer: TransactionProducer, entries: readonly Entry[], durable: () => void): Promise<void> {
    await this.whenDurable(this.appendPending(producer, entries), durable);
  }

  /**
   * Ends the producer's transaction with a marker. `durable` learns what now counts. Without anything pending there is
   * no marker, and it resolves when all that was written before is durable: so a repeated call may be relied on.
   */
  async complete(
    producer: TransactionProducer,
    commit: boolean,
    durable: (entries: readonly Entry[]) => void,
  ): Promise<void> {
    const { partition } = this.options;
    if (!this.pending.has(producer.producerId)) {
      await this.whenDurable(partition.end, () => durable([]));
      return;
    }
    partition.append(markerBatch({ ...producer, coordinatorEpoch: 0, commit }, this.options.clock.now()));
    const entries = this.settle(producer.producerId, commit);
    await this.whenDurable(partition.end, () => durable(entries));
  }

  private async whenDurable(end: number, durable: () => void): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.options.partition.whenReadable(end, (error: LogError | undefined) => {
        if (error !== undefined) return reject(error);
        durable();
        resolve();
      });
    });
    this.rewriteIfWorthwhile();
  }

  private append(entries: readonly Entry[]): number {
    const builder = new BatchBuilder();
    const now = this.options.clock.now();
    for (const { key, value } of entries) builder.add(now, key, value, []);
    this.options.partition.append(builder.finish());
    for (const entry of entries) this.remember(entry);
    return this.options.partition.end;
  }

  private appendPending(producer: TransactionProducer, entries: readonly Entry[]): number {
    const builder = new BatchBuilder();
    const now = this.options.clock.now();
    for (const { key, value } of entries) builder.add(now, key, value, []);
    this.options.partition.append(builder.finish(fieldsOf(producer, TRANSACTIONAL)));
    for (const entry of entries) this.pending.add(producer, entry);
    return this.options.partition.end;
  }

  private loadBatch(bytes: Buffer, at: number, from: number, each: (entry: Entry) => void): void {
    const { attributes, producerId, producerEpoch } = headerOf(bytes, at);
    if ((attributes & CONTROL) !== 0) {
      for (const entry of this.settle(producerId, markerIn(bytes, at)?.commit === true)) each(entry);
      return;
    }
    const records: LogRecord[] = [];
    decodeRecords(bytes, at, from, records);
    for (const record of records) {
      const entry = entryOf(record);
      if ((attributes & TRANSACTIONAL) !== 0) {
        this.pending.add({ producerId, producerEpoch }, entry);
      } else {
        if (record.headers.length > 0) this.keep(entry);
        else this.remember(entry);
        each(entry);
      }
    }
  }

  /** What a marker makes of the producer's entries. */
  private settle(producerId: number, commit: boolean): readonly Entry[] {
    const entries = this.pending.take(producerId, commit);
    if (!commit) return [];
    for (const entry of entries) this.keep(entry);
    return entries;
  }

  private remember(entry: Entry): void {
    this.pending.supersede(entry.key);
    this.keep(entry);
  }

  private keep(entry: Entry): void {
    const name = entry.key.toString('latin1');
    this.liveBytes -= sizeOf(this.live.get(name));
    if (entry.value === null) this.live.delete(name);
    else this.live.set(name, entry);
    this.liveBytes += sizeOf(this.live.get(name));
  }

  private rewriteIfWorthwhile(): void {
    const { partition, commit } = this.options;
    const least = Math.max(REWRITE_ABOVE, (this.liveBytes + this.pendingBytes) * REWRITE_FACTOR);
    if (this.rewriting || partition.bytes < least) return;
    this.rewriting = true;
    const done = () => {
      this.rewriting = false;
    };
    // When it fails, the old entries still say all; the next put tries again, or is refused with the reason.
    commit.exclusively(() => this.rewrite()).then(done, done);
  }

  /** What is pending was written after what its key is worth now, so it comes last. */
  private async rewrite(): Promise<void> {
    const { partition, points, clock } = this.options;
    partition.roll();
    const from = partition.end;
    const builder = new BatchBuilder();
    const now = clock.now();
    for (const { key, value } of this.live.values()) {
      builder.add(now, key, value, REWRITTEN);
      if (builder.size >= BATCH_BYTES) partition.append(builder.finish());
    }
    if (builder.count > 0) partition.append(builder.finish());
    this.pendingBytes = 0;
    for (const { producer, ...entry } of this.pending.all()) {
      this.pendingBytes += sizeOf(entry);
      builder.add(now, entry.key, entry.value, []);
      partition.append(builder.finish(fieldsOf(producer, TRANSACTIONAL)));
    }
    await partition.flush();
    partition.trimTo(from);
    await points.flush();
    partition.removeTrimmed();
  }
}

/** A record's bytes are views of the chunk that was read; what is kept must not pin it. */
function entryOf(record: LogRecord): Entry {
  return {
    key: Buffer.from(record.key ?? []),
    value: record.value === null ? null : Buffer.from(record.value),
  };
}

function sizeOf(entry: Entry | undefined): number {
  return entry === undefined ? 0 : entry.key.length + (entry.value?.length ?? 0) + 16;
}

function fieldsOf({ producerId, producerEpoch }: TransactionProducer, attributes: number) {
  return { producerId, producerEpoch, baseSequence: NO_SEQUENCE, attributes };
}
