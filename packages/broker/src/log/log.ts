import { resolve } from 'node:path';
import { LogError } from '../errors.ts';
import { openTransactions } from '../transactions/open-transactions.ts';
import type { TransactionCoordinator } from '../transactions/transaction-coordinator.ts';
import { startTransactionalProducer } from '../transactions/transactional-producer.ts';
import type {
  GroupLag,
  Log,
  LogOptions,
  Producer,
  ProducerOptions,
  TopicConfig,
  TopicDescription,
  TransactionalProducer,
} from './api.ts';
import { Catalog } from './catalog.ts';
import { systemClock, systemRandom } from './clock.ts';
import { Compactor } from './compactor.ts';
import { DataDirectory, TRANSACTIONS_TOPIC } from './data-directory.ts';
import { fileStorage } from './file-storage.ts';
import { GroupOffsets } from './group-offsets.ts';
import { committedValue } from './key-lookup.ts';
import type { KeyedLog } from './keyed-log.ts';
import type { Partition } from './partition.ts';
import { unknownPartition } from './partition-errors.ts';
import { LogProducer } from './producer.ts';
import { Retention } from './retention.ts';
import { storageError } from './storage.ts';
import type { Topic } from './topic.ts';

const READ_BYTES = 1024 * 1024;
const RETENTION_CHECK_INTERVAL = 300_000;
const COMPACTION_CHECK_INTERVAL = 15_000;
const COMPACTION_MAP_BYTES = 64 * 1024 * 1024;
const PRODUCER_ID_EXPIRATION = 86_400_000;

/** Opens a data directory: takes it, recovers it, serves it. */
export function openLog(options: LogOptions): Promise<Log> {
  return openDirectoryLog(options);
}

/** The same, with what the broker needs of it beyond the public contract. */
export async function openDirectoryLog(options: LogOptions): Promise<DirectoryLog> {
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const fsync = options.fsync ?? true;
  const path = resolve(options.directory);
  let log: DirectoryLog | undefined;
  const directory = await DataDirectory.open({
    directory: path,
    storage: options.storage ?? fileStorage(),
    clock,
    fsync,
    producerExpirationMs: options.producerIdExpirationMs ?? PRODUCER_ID_EXPIRATION,
    onStop: (error) => log?.stop(error),
  });
  try {
    const catalog = await Catalog.open(directory, random);
    const offsets = await directory.openOffsets();
    const retention = new Retention(directory, catalog, options.retentionCheckInterval ?? RETENTION_CHECK_INTERVAL);
    const compactor = new Compactor({
      directory,
      catalog,
      interval: options.compactionCheckInterval ?? COMPACTION_CHECK_INTERVAL,
      mapBytes: options.compactionMapBytes ?? COMPACTION_MAP_BYTES,
    });
    const opened = new DirectoryLog({ directory, catalog, offsets, retention, compactor, random, fsync });
    log = opened;
    await directory.commit.exclusively(() => opened.forgetDeleted());
    await opened.takeUpTransactions();
    retention.start();
    compactor.start();
    return opened;
  } catch (error) {
    directory.release();
    throw storageError(`cannot open the data directory ${path}`, error);
  }
}

interface Parts {
  readonly directory: DataDirectory;
  readonly catalog: Catalog;
  readonly offsets: KeyedLog;
  readonly retention: Retention;
  readonly compactor: Compactor;
  readonly random: () => number;
  readonly fsync: boolean;
}

export class DirectoryLog implements Log {
  private readonly parts: Parts;
  readonly directory: DataDirectory;
  readonly catalog: Catalog;
  readonly groupOffsets: GroupOffsets;
  private readonly producers = new Set<LogProducer>();
  private coordinator: Promise<TransactionCoordinator> | undefined;
  private closing: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.parts = parts;
    this.directory = parts.directory;
    this.catalog = parts.catalog;
    this.groupOffsets = new GroupOffsets(parts.offsets);
  }

  async createTopic(
    name: string,
    options: { readonly partitions?: number; readonly config?: Partial<TopicConfig> } = {},
  ): Promise<TopicDescription> {
    this.expectOpen();
    return describe(await this.catalog.create(name, options.partitions ?? 1, options.config ?? {}));
  }

  topics(): readonly string[] {
    this.expectOpen();
    return this.catalog.names();
  }

  describeTopic(name: string): TopicDescription {
    this.expectOpen();
    return describe(this.catalog.topic(name));
  }

  async alterTopic(name: string, config: Partial<TopicConfig>): Promise<TopicDescription> {
    this.expectOpen();
    return describe(await this.catalog.alter(name, config));
  }

  async deleteTopic(name: string): Promise<void> {
    this.expectOpen();
    await this.catalog.delete(name, () => this.forgetDeleted());
  }

  /** A crash may have come between the end of a topic and this. Needs the group commit's line. */
  forgetDeleted(): Promise<void> {
    return this.groupOffsets.forgetTopicsBut((topic) => this.catalog.has(topic));
  }

  producer(options: ProducerOptions = {}): Producer {
    this.expectOpen();
    const { directory, random, fsync } = this.parts;
    const seam = {
      topic: (name: string) => this.catalog.topic(name),
      clock: directory.clock,
      random,
      fsync,
      closed: (producer: LogProducer) => void this.producers.delete(producer),
    };
    const producer = new LogProducer(seam, options);
    this.producers.add(producer);
    return producer;
  }

  transactionalProducer(transactionalId: string): Promise<TransactionalProducer> {
    return startTransactionalProducer(this, transactionalId, this.parts.random);
  }

  /** The one coordinator of this log, for producers in this process and for those that a broker serves. */
  async transactions(): Promise<TransactionCoordinator> {
    this.expectOpen();
    this.coordinator ??= openTransactions(this);
    try {
      return await this.coordinator;
    } catch (error) {
      this.coordinator = undefined;
      throw error;
    }
  }

  /**
   * Has what was decided before a crash carried out, and what was left open end with its time, though nobody may ask for a
   * transaction any more. Damage to their log is for those to hear who do ask: everything else can be served without it.
   */
  async takeUpTransactions(): Promise<void> {
    if (!this.catalog.hasInternal(TRANSACTIONS_TOPIC)) return;
    try {
      await this.transactions();
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
    }
  }

  read(topic: string, partition: number, offset: number, maxBytes = READ_BYTES) {
    return this.partition(topic, partition).read(offset, maxBytes);
  }

  committedValue(topic: string, partition: number, key: Uint8Array): Uint8Array | null | undefined {
    return committedValue(this.partition(topic, partition), key);
  }

  offsets(topic: string, partition: number): { earliest: number; latest: number } {
    const { start, lastStableOffset } = this.partition(topic, partition);
    return { earliest: start, latest: lastStableOffset };
  }

  offsetForTime(topic: string, partition: number, timestamp: number): number {
    return this.partition(topic, partition).offsetForTime(timestamp);
  }

  onAppend(topic: string, partition: number, listener: () => void): () => void {
    return this.partition(topic, partition).onAppend(listener);
  }

  async commitOffsets(group: string, topic: string, offsets: ReadonlyMap<number, number>): Promise<void> {
    for (const [partition, offset] of offsets) {
      this.partition(topic, partition);
      if (Number.isSafeInteger(offset) && offset >= 0) continue;
      throw new LogError('INVALID_REQUEST', `group '${group}' cannot commit ${offset}: an offset is an integer from 0`);
    }
    await this.groupOffsets.commit(group, topic, offsets, this.parts.directory.clock.now());
  }

  committedOffsets(group: string, topic: string): ReadonlyMap<number, number> {
    this.expectOpen();
    return this.groupOffsets.of(group, topic);
  }

  groups(): readonly string[] {
    this.expectOpen();
    return this.groupOffsets.groups();
  }

  lag(group: string): readonly GroupLag[] {
    this.expectOpen();
    const rows: GroupLag[] = [];
    for (const topic of this.groupOffsets.topics(group)) {
      const offsets = this.groupOffsets.of(group, topic);
      for (const { partition, start, lastStableOffset: latest } of this.catalog.topic(topic).partitions) {
        const committed = offsets.get(partition);
        rows.push({
          topic,
          partition,
          committed,
          latest,
          lag: Math.max(0, latest - Math.max(start, committed ?? start)),
        });
      }
    }
    return rows;
  }

  close(): Promise<void> {
    this.closing ??= this.closeParts();
    return this.closing;
  }

  /** A sync failed: everything that waits or comes later learns why. */
  stop(error: LogError): void {
    for (const partition of this.partitions()) partition.refuse(error);
    void this.coordinator?.then(
      (coordinator) => coordinator.stop(error),
      () => undefined,
    );
  }

  private async closeParts(): Promise<void> {
    const { directory, retention, compactor } = this.parts;
    retention.stop();
    await compactor.stop();
    // What could not be written was told to its sender; acks=0 asked not to know.
    await Promise.allSettled([...this.producers].map((producer) => producer.close()));
    await this.coordinator?.then(
      (coordinator) => coordinator.close(),
      () => undefined,
    );
    await directory.close(this.partitions());
  }

  private partitions(): Partition[] {
    const own = [...this.catalog.own(), this.parts.offsets.partition];
    return [...own, ...this.catalog.all().flatMap((topic) => topic.partitions)];
  }

  private partition(topic: string, partition: number): Partition {
    this.expectOpen();
    const found = this.catalog.topic(topic).partitions[partition];
    if (found === undefined) throw unknownPartition(topic, partition);
    return found;
  }

  private expectOpen(): void {
    if (this.closing !== undefined) throw new LogError('LOG_CLOSED', 'the log is closed');
  }
}

function describe(topic: Topic): TopicDescription {
  return {
    name: topic.name,
    id: topic.id,
    config: topic.config,
    partitions: topic.partitions.map(({ partition, start, lastStableOffset, bytes, error }) => ({
      partition,
      earliest: start,
      latest: lastStableOffset,
      bytes,
      ...(error === undefined ? {} : { error }),
    })),
  };
}
