/** Event time of a spout: where the time of a record comes from, and how far it has come (law 7). Flink's rules. */
import type { Duration } from '../duration.ts';

/**
 * Says how far event time has come on one split (partition, file). One is made per split. What is no finite number is
 * ignored, and so is a watermark that goes back; one that throws stops the topology.
 */
export interface WatermarkGenerator<in T> {
  /** A record was sent off. A watermark W says: no record of this split with a time of W or earlier is expected. */
  record(value: T, time: number): number | undefined;
  /** Asked every 200 ms by the clock, if it is there; not while the split is idle or held back. */
  clock?(now: number): number | undefined;
}

export interface EventTime<in T> {
  /**
   * Milliseconds since 1970, 0 or more. Default: the time that the source gives with the record. A record without a time
   * (the function threw, or gave something else) goes to the ledger. A record that is replayed keeps its time: it may be
   * behind the watermark then.
   */
  readonly from?: (value: T) => number;
  /** How much older than the newest record so far a record of its split may be. Default 0. */
  readonly outOfOrder?: Duration;
  /** Another rule in place of `outOfOrder`. It is called once per split; watermarks that go back are ignored. */
  readonly watermark?: () => WatermarkGenerator<T>;
  /**
   * A split without records for this long does not hold the others back. Default 30 s. Time in which it could give none
   * does not count: downstream is full, too much is pending, the topology is inactive, the split is paused.
   */
  readonly idle?: Duration;
  /** When all splits are idle, event time stays where it is (default), or goes on with the clock. */
  readonly whenIdle?: 'wait' | 'clock';
  /** A split whose watermark is more than this ahead of the slowest one's is paused. Off by default. */
  readonly align?: Duration;
  /** A record whose time is more than this ahead of the clock goes to the ledger. Default 1 day. */
  readonly ahead?: Duration;
}

/** `ingestion`: the time of a record is the clock's when it is taken, and so is the watermark. */
export type SpoutTime<T> = EventTime<T> | 'ingestion';
