/**
 * The offsets that a consumer group has committed, as a plain store: we assign partitions ourselves, so we never join
 * the group, and the broker takes the commits of a group without members from anybody (generation -1).
 */
import { MillraceError } from '../../errors.ts';
import type { Cluster } from './cluster.ts';
import { Again, check, errorName } from './failure.ts';
import type {
  FindCoordinatorRequest,
  FindCoordinatorResponse,
  OffsetCommitRequest,
  OffsetCommitResponse,
  OffsetFetchRequest,
  OffsetFetchResponse,
} from './wire.ts';

const GROUP_KEY = 0;
const NO_GENERATION = -1;
const MOVED = new Set(['NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE']);
/** What a group with live members answers to somebody who is none of them. */
const TAKEN = new Set(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'REBALANCE_IN_PROGRESS', 'STALE_MEMBER_EPOCH']);

export class GroupOffsets {
  readonly #cluster: Cluster;
  readonly #coordinators = new Map<string, number>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
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
      const response = await this.#ask<OffsetCommitRequest, OffsetCommitResponse>(group, 'OffsetCommit', args);
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
      const response = await this.#ask<OffsetFetchRequest, OffsetFetchResponse>(group, 'OffsetFetch', [[wanted], true]);
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
    if (MOVED.has(errorName(code))) this.#coordinators.delete(group);
    check(code, doing);
  }

  async #ask<A extends unknown[], R>(group: string, api: string, args: A): Promise<R> {
    const coordinator = this.#coordinators.get(group) ?? (await this.#find(group));
    try {
      return await this.#cluster.ask<A, R>(coordinator, api, args);
    } catch (error) {
      this.#coordinators.delete(group);
      throw error;
    }
  }

  async #find(group: string): Promise<number> {
    const args: FindCoordinatorRequest = [GROUP_KEY, [group]];
    const response = await this.#cluster.ask<FindCoordinatorRequest, FindCoordinatorResponse>(
      undefined,
      'FindCoordinator',
      args,
    );
    const [found] = response.coordinators;
    if (!found) throw new Again(`no broker coordinates group '${group}'`);
    check(found.errorCode, `to name the coordinator of group '${group}'`, found.errorMessage);
    this.#cluster.learn(found);
    this.#coordinators.set(group, found.nodeId);
    return found.nodeId;
  }
}
