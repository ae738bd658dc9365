import type { Clock } from '../log/clock.ts';
import type { GroupOffsets } from '../log/group-offsets.ts';
import { appended } from './append-error.ts';
import type { Group } from './group.ts';
import { expectMayCommit, judge } from './offset-commits.ts';
import type { OffsetCommitRequest, PartitionResult } from './requests.ts';

/**
 * Offsets that a transaction commits, kept as Kafka keeps them: as the producer's transactional records in
 * `__consumer_offsets`, which count from the marker of its commit on and are found again after a crash.
 *
 * `pend` is durable when it resolves. The caller has made sure, in the same turn, that this epoch is the producer's and
 * that its transaction is ongoing and holds the group: nothing here fences epochs. What ends the transaction is
 * `GroupOffsets.complete`, durable when it resolves, which may be repeated, and asked for a producer that pended nothing.
 *
 * Of several transactions, and plain commits, for one partition the one that was written last wins.
 */
export interface OffsetProducer {
  readonly producerId: number;
  readonly producerEpoch: number;
}

export interface TransactionalOffsetsSeams {
  readonly offsets: GroupOffsets;
  readonly clock: Clock;
  readonly find: (group: string) => Group | undefined;
}

export class TransactionalOffsets {
  private readonly seams: TransactionalOffsetsSeams;

  constructor(seams: TransactionalOffsetsSeams) {
    this.seams = seams;
  }

  /**
   * Throws UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID or ILLEGAL_GENERATION when the consumer that the offsets come from is not
   * in its group's generation. Without member id and with generation -1 nobody asks.
   */
  async pend(producer: OffsetProducer, request: OffsetCommitRequest): Promise<PartitionResult[]> {
    expectMayCommit(this.seams.find(request.group), request, true);
    const { results, accepted } = judge(request, this.seams.clock.now());
    await appended(this.seams.offsets.pend(producer, request.group, accepted));
    return results;
  }
}
