import { OFFSETS_TOPIC } from '../log/data-directory.ts';
import type { Partitions, ProducerIdAndEpoch } from './transaction.ts';

/**
 * Those who hold a transaction's data: the partitions, and the groups whose offsets it commits, which stand under the
 * name of the partition where they are kept. The coordinator decides and writes the decision down; they carry it out.
 */
export interface Marker extends ProducerIdAndEpoch {
  readonly coordinatorEpoch: number;
  readonly commit: boolean;
}

export interface Participants {
  /**
   * Ends the producer's transaction there. Resolves when that is durable; also when nothing of it is open there, once
   * whatever ended it is durable, and when the partition is gone: so it may be asked again after a crash. Rejects when it
   * could not be done and may be tried later.
   */
  end(topic: string, partition: number, marker: Marker): Promise<void>;
}

/** One broker, whose coordinator is never replaced by another's. */
export const COORDINATOR_EPOCH = 0;

/** Where the offsets are that groups commit in transactions. */
export const offsetsPartition: Partitions = new Map([[OFFSETS_TOPIC, new Set([0])]]);
