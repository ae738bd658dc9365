import type { LogError } from '../errors.ts';
import type { Clock } from './clock.ts';
import type { Storage } from './storage.ts';

/**
 * The log's public contract, in types. Offsets, timestamps (wall ms) and sizes (bytes) are integers below 2^53.
 *
 * Its readers see what is committed, as Kafka's do with isolation.level=read_committed: no record of an aborted
 * transaction, and none from where one is open on. So `latest`, everywhere here, is the last stable offset: where the
 * first open transaction begins, and without one the end of what is durable (Kafka's high watermark). Clients of other
 * isolation read on to the high watermark over the network.
 */

export interface LogOptions {
  /** Made if it is missing; owned by one process at a time. */
  readonly directory: string;
  readonly storage?: Storage;
  readonly clock?: Clock;
  /** In [0, 1), as Math.random: for topic ids and for where a producer's null keys start. */
  readonly random?: () => number;
  /**
   * true (default): acks=all resolves, and records are readable, when they survive a power cut. false: when they
   * survive the death of this process.
   */
  readonly fsync?: boolean;
  /** Milliseconds between two looks at what retention lets go; Kafka's default, 300000. */
  readonly retentionCheckInterval?: number;
  /** Milliseconds between two looks at what is to be compacted; Kafka's default, 15000. */
  readonly compactionCheckInterval?: number;
  /** What the keys of one compaction may take of memory, roughly; 64 MiB. With more, it takes several. */
  readonly compactionMapBytes?: number;
  /** Milliseconds for which the sequence numbers of an idle producer are remembered; Kafka's default, a day. */
  readonly producerIdExpirationMs?: number;
}

export interface RecordHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

export interface ProducerRecord {
  readonly topic: string;
  /** Chosen by Kafka's default partitioner when absent. */
  readonly partition?: number;
  readonly key?: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers?: readonly RecordHeader[];
  /** Wall ms; now when absent. */
  readonly timestamp?: number;
}

export interface RecordMetadata {
  readonly topic: string;
  readonly partition: number;
  /** -1 with acks=0, as in Kafka: nobody waited to learn it. */
  readonly offset: number;
  readonly timestamp: number;
}

/** Key, value and header values are views of the chunk that was read: copy what is kept for long. */
export interface LogRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

export interface ProducerOptions {
  /**
   * 'all' (default): resolved when durable (see LogOptions.fsync). 1: when written, before it is durable. 0: at once;
   * a later failure is thrown by the next flush() or close().
   */
  readonly acks?: 'all' | 1 | 0;
  /** How long a batch that is not full waits for more records. 0 (default): until the caller's turn ends. */
  readonly lingerMs?: number;
  /** Bytes at which a batch is full, 16384 by default. A larger record travels alone. */
  readonly batchSize?: number;
  /** Bytes handed in and not yet acknowledged at which `ready` starts to wait, 4 MiB by default. */
  readonly maxInFlightBytes?: number;
}

export interface Producer {
  /** The record's bytes may be reused by the caller as soon as this returns. */
  send(record: ProducerRecord): Promise<RecordMetadata>;
  /** Resolves when fewer than maxInFlightBytes wait for their acknowledgement. A source that awaits it is bounded. */
  ready(): Promise<void>;
  /** Sends what waits and resolves when all of it is acknowledged or refused (each refusal is told by its send). */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** Publishes in transactions, under an id that one producer holds at a time. */
export interface TransactionalProducer {
  /**
   * One transaction: when it resolves, it is decided for good, and all of these records are readable; at no time are some of
   * them. One call at a time. A record that no topic takes is refused before anything is written. PRODUCER_FENCED: another
   * producer was started with the id, or it took longer than a minute (or transaction.max.timeout.ms of a broker over this log). After whatever it rejects with, another producer that
   * is started with the id finds either all of the records committed or none.
   */
  commit(records: readonly ProducerRecord[]): Promise<void>;
}

/** Kafka's topic settings, by Kafka's names and with Kafka's defaults; `topic-config.ts` says what each does. */
export interface TopicConfig {
  readonly 'cleanup.policy': 'delete' | 'compact' | 'compact,delete' | 'delete,compact';
  readonly 'compression.gzip.level': number;
  readonly 'compression.lz4.level': number;
  readonly 'compression.type': 'uncompressed' | 'zstd' | 'lz4' | 'snappy' | 'gzip' | 'producer';
  readonly 'compression.zstd.level': number;
  readonly 'delete.retention.ms': number;
  readonly 'file.delete.delay.ms': number;
  readonly 'flush.messages': number;
  readonly 'flush.ms': number;
  readonly 'follower.replication.throttled.replicas': string;
  readonly 'index.interval.bytes': number;
  readonly 'leader.replication.throttled.replicas': string;
  readonly 'local.retention.bytes': number;
  readonly 'local.retention.ms': number;
  readonly 'max.compaction.lag.ms': number;
  readonly 'max.message.bytes': number;
  readonly 'message.timestamp.after.max.ms': number;
  readonly 'message.timestamp.before.max.ms': number;
  readonly 'message.timestamp.type': 'CreateTime' | 'LogAppendTime';
  readonly 'min.cleanable.dirty.ratio': number;
  readonly 'min.compaction.lag.ms': number;
  readonly 'min.insync.replicas': number;
  readonly preallocate: boolean;
  readonly 'remote.log.copy.disable': boolean;
  readonly 'remote.log.delete.on.disable': boolean;
  readonly 'remote.storage.enable': boolean;
  /** Size of a partition in bytes above which its oldest segments go; -1 is never. */
  readonly 'retention.bytes': number;
  /** Age in ms at which records may go; -1 is never. */
  readonly 'retention.ms': number;
  readonly 'segment.bytes': number;
  readonly 'segment.index.bytes': number;
  readonly 'segment.jitter.ms': number;
  readonly 'segment.ms': number;
  readonly 'unclean.leader.election.enable': boolean;
}

export interface PartitionDescription {
  readonly partition: number;
  readonly earliest: number;
  /** The last stable offset: see above. */
  readonly latest: number;
  readonly bytes: number;
  /** Why this partition refuses writes, when it does. */
  readonly error?: LogError;
}

export interface TopicDescription {
  readonly name: string;
  /** A UUID, never used again. */
  readonly id: string;
  readonly partitions: readonly PartitionDescription[];
  /** Effective values. */
  readonly config: TopicConfig;
}

export interface GroupLag {
  readonly topic: string;
  readonly partition: number;
  readonly committed: number | undefined;
  readonly latest: number;
  /** Records from the committed offset (the earliest, when none is committed) to the end. */
  readonly lag: number;
}

export interface Log {
  createTopic(
    name: string,
    options?: { readonly partitions?: number; readonly config?: Partial<TopicConfig> },
  ): Promise<TopicDescription>;
  topics(): readonly string[];
  describeTopic(name: string): TopicDescription;
  alterTopic(name: string, config: Partial<TopicConfig>): Promise<TopicDescription>;
  deleteTopic(name: string): Promise<void>;

  producer(options?: ProducerOptions): Producer;
  /**
   * Kafka's transactional producer, the network's or this process's alike. When it resolves, no producer that was started
   * with the id before commits anything any more: what it left open is aborted, what it had decided is carried out.
   */
  transactionalProducer(transactionalId: string): Promise<TransactionalProducer>;

  /**
   * Committed records from `offset` on, readable now; none when none is left before `latest`. Gives whole batches, as
   * many as fit in `maxBytes` (1 MiB by default), and always at least one. Offsets may have gaps, and `nextOffset` is
   * where to go on: markers take offsets, and so did what was aborted or compacted. Throws OFFSET_OUT_OF_RANGE before
   * `earliest` and behind what is durable.
   */
  read(
    topic: string,
    partition: number,
    offset: number,
    maxBytes?: number,
  ): { readonly records: readonly LogRecord[]; readonly nextOffset: number };
  /**
   * What the last committed record of this key says; null for a tombstone, undefined when there is none. Unlike `read` it
   * looks on behind `latest`, where somebody's transaction is open. Reads the whole partition, so that is to be a small one.
   */
  committedValue(topic: string, partition: number, key: Uint8Array): Uint8Array | null | undefined;
  offsets(topic: string, partition: number): { readonly earliest: number; readonly latest: number };
  /** The first offset whose record is at or after `timestamp`; latest when there is none. */
  offsetForTime(topic: string, partition: number, timestamp: number): number;
  /**
   * Calls `listener` whenever more became durable, or readable as a transaction ended, and when the topic is deleted, until
   * the function it gives is called.
   */
  onAppend(topic: string, partition: number, listener: () => void): () => void;

  /** All of them together, or none; durable when it resolves. */
  commitOffsets(group: string, topic: string, offsets: ReadonlyMap<number, number>): Promise<void>;
  committedOffsets(group: string, topic: string): ReadonlyMap<number, number>;
  groups(): readonly string[];
  lag(group: string): readonly GroupLag[];

  /** Sends what producers still hold, syncs, and gives the directory up. */
  close(): Promise<void>;
}
