/**
 * The offsets that a consumer group has committed, as a plain store: we assign partitions ourselves, so we never join
 * the group, and the broker takes the commits of a group without members from anybody (generation -1).
 */
import { MillraceError } from '../../errors.ts';
import type { Cluster } from './cluster.ts';
import { Coordinators } from './coordinators.ts';
import { check, errorName } from './failure.ts';
import type { OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse } from './wire.ts';

const NO_GENERATION = -1;
/** What a group with live members answers to somebody who is none of them. */
const TAKEN = new Set(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'REBALANCE_IN_PROGRESS', 'STALE_MEMBER_EPOCH']);

export class GroupOffsets {
  readonly #cluster: Cluster;
  readonly #coordinators: Coordinators;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#coordinators = new Coordinators(cluster, 'group');
  }

  commit(group: string, topic: string, offsets: ReadonlyMap<number, number>): Promise<void> {
    const doing = `to commit offsets of group '${group}'`;
    const partitions = [...offsets].map(([partitionIndex, offset]) => ({
      partitionIndex,
      committedOffset: BigInt(offset),
      committedLeaderEpoch: -1,
      committedMetadata: '',
    }));
    const args: OffsetCommitRequest = [group, NO_GENERATION, '', null, [{ name: topic, partitions }]];
    return this.#cluster.patiently(doing, async () => {
      const response = await this.#coordinators.ask<OffsetCommitRequest, OffsetCommitResponse>(
        group,
        'OffsetCommit',
        args,
      );
      // All of them went into one append to the group's log; an error of one is an error of all.
      for (const { errorCode } of response.topics.flatMap((one) => one.partitions)) {
        if (TAKEN.has(errorName(errorCode))) throw new MillraceError('MR_GROUP_IN_USE', [group]);
        this.#check(group, errorCode, doing);
      }
    });
  }

  committed(group: string, topic: string): Promise<ReadonlyMap<number, number>> {
    const doing = `to tell the offsets of group '${group}'`;
    // All topics of the group: the one asked for need not exist. Offsets in an open transaction are waited for.
    const wanted = { groupId: group, memberId: null, memberEpoch: NO_GENERATION, topics: null as never };
    return this.#cluster.patiently(doing, async () => {
      const response = await this.#coordinators.ask<OffsetFetchRequest, OffsetFetchResponse>(group, 'OffsetFetch', [
        [wanted],
        true,
      ]);
      const found = new Map<number, number>();
      for (const { errorCode, topics } of response.groups) {
        this.#check(group, errorCode, doing);
        for (const one of topics) {
          if (one.name !== topic) continue;
          for (const { partitionIndex, committedOffset, errorCode: code } of one.partitions) {
            this.#check(group, code, doing);
            if (committedOffset >= 0n) found.set(partitionIndex, Number(committedOffset));
          }
        }
      }
      return found;
    });
  }

  #check(group: string, code: number, doing: string): void {
    this.#coordinators.heard(group, code);
    check(code, doing);
  }
}
