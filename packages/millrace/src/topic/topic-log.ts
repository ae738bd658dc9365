/**
 * The seam between topics and the log that holds them: the embedded log or Apache Kafka. It is all that
 * `topicSpout` and `topicSink` know of a log, so the same topology runs over either. Every implementation passes
 * topic-log-suite.ts. What it must keep, besides the words below:
 *
 * - Reading never waits: `take` gives what is here, and an implementation that must ask a server does so ahead, within
 *   a bound, while the records it gave are being worked on.
 * - Nothing is skipped in silence. An offset that the log does not have is reported by `take`, and the caller decides.
 * - Readers see what is committed: no record of an aborted transaction, and none behind one that is still open.
 * - Failures are thrown or rejected, never swallowed. `take` throws what befell a partition each time it is called.
 */
import type { TopicConfig } from '@millrace/broker';
import type { Resource } from '../topology/task.ts';

export interface TopicRecord {
  readonly offset: number;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  /** A view into a larger chunk that nobody writes to again: copy what is kept for long. */
  readonly value: Uint8Array | null;
  readonly headers: readonly TopicHeader[];
}

export interface TopicHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

export interface NewRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Milliseconds since 1970, an integer. */
  readonly timestamp: number;
  readonly headers?: readonly TopicHeader[];
}

/** Where to start in a partition: its first record, behind its last one, or at the first record not older than a time. */
export type StartFrom = 'earliest' | 'latest' | { readonly time: number };

/** What `take` found. */
export type Taken =
  | {
      /** In order of offset; offsets may have gaps. Empty when there is nothing yet. */
      readonly records: readonly TopicRecord[];
      /** The offset to go on from after them. */
      readonly next: number;
      readonly outOfRange?: undefined;
    }
  /** The log does not have the offset that it was to read: retention took it, or the log is shorter than it was. */
  | { readonly outOfRange: { readonly offset: number; readonly earliest: number; readonly latest: number } };

/** Reads one partition, in order. */
export interface PartitionReader {
  /** The records that follow the last ones taken. After it found none, `arrived` is called when there may be some. */
  take(): Taken;
  /** Goes on from this offset instead. */
  seek(offset: number): void;
  /** A paused reader is not asked: it stops asking ahead and keeps what it has. */
  pause(): void;
  resume(): void;
  close(): void;
}

export interface DeclaredTopic {
  readonly name: string;
  readonly partitions?: number;
  readonly config?: Partial<TopicConfig>;
}

/** Publishing in transactions under one id, which one publisher holds at a time. */
export interface TopicTransactions {
  /**
   * Takes the id. When it resolves, whoever took it before commits nothing any more; what they left open is aborted, what
   * they had decided is done. Gives the marker of the last transaction that was committed under the id, ever; undefined
   * before the first. May be called again, and settles what became of a `publish` that has rejected.
   */
  claim(): Promise<Uint8Array | undefined>;
  /**
   * One transaction: all of the records, in the order given for each partition, and the marker in place of the last one. When
   * it resolves they are committed; the log may take a moment more to have readers see them. Nobody ever sees some of them
   * alone. One call at a time, after `claim`.
   *
   * Rejects with TransactionFenced when somebody else has taken the id, or time has ended the transaction. After this, as
   * after any other rejection, all of it may be there or nothing: `claim` again, and the marker tells.
   */
  publish(topic: string, records: readonly NewRecord[], marker: Uint8Array): Promise<void>;
}

/** The id is no longer held. */
export class TransactionFenced extends Error {
  override readonly name = 'TransactionFenced';
}

export interface TopicLog {
  /**
   * The topic as the log has it. Makes it as declared, with one partition unless declared otherwise, if it is not
   * there; an existing topic is left as it is. Safe to call at the same time from several places.
   */
  ensureTopic(declared: DeclaredTopic): Promise<{
    readonly partitions: number;
    /** Its settings, as far as the log tells them. */
    readonly config: Partial<TopicConfig>;
  }>;

  /** The offset that this start means now, for each partition in order. A time after the last record means latest. */
  offsets(topic: string, at: StartFrom): Promise<readonly number[]>;

  /** `arrived` may be called at any time, any number of times, but not from inside a call to the reader. */
  read(topic: string, partition: number, from: number, arrived: () => void): PartitionReader;

  /**
   * Adds records: equal keys to one partition, by Kafka's default partitioner. Resolves when all of them are as durable
   * as the log makes them; rejects if any is not, after all have been tried. Records of one partition keep the order of
   * the calls.
   */
  produce(topic: string, records: readonly NewRecord[]): Promise<void>;

  /** Opens nothing yet. The markers are records of the compacted topic CONTROL_TOPIC, keyed by the ids. */
  transactions(id: string): TopicTransactions;

  /** Notes, per partition, the offset that the group goes on from: all of them or none, durable when it resolves. */
  commit(group: string, topic: string, offsets: ReadonlyMap<number, number>): Promise<void>;
  /** The offsets last committed; a partition without one is not in the map. */
  committed(group: string, topic: string): Promise<ReadonlyMap<number, number>>;

  /** Lets go of what the calls above hold on to. A log that was handed in stays open. */
  close(): Promise<void>;
}

/** What topics ask their run for. */
export const topicLog: Resource<TopicLog> = { name: 'log' };
