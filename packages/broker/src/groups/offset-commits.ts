import { LogError } from '../errors.ts';
import type { Clock } from '../log/clock.ts';
import type { GroupOffsets, PartitionOffset } from '../log/group-offsets.ts';
import type { CommittedOffset } from '../log/offset-record.ts';
import { appended } from './append-error.ts';
import type { Group, Member } from './group.ts';
import type { FetchedOffset, MemberRequest, OffsetCommitRequest, OffsetToCommit, PartitionResult } from './requests.ts';

/**
 * The offsets of groups. Members commit for the generation they are in; who is no member (a consumer that assigns
 * partitions to itself, an operator's tool, this process) commits with generation -1, while the group has no members.
 *
 * Offsets expire as in Kafka: those of a group that had members, `offsets.retention.minutes` after it lost the last; those
 * of a group that only ever committed, and those of topics that a stable group of consumers does not subscribe to, that
 * long after their last commit. A group goes when it is empty and its last offset has gone.
 */
export interface OffsetCommitsSeams {
  readonly offsets: GroupOffsets;
  readonly clock: Clock;
  readonly retentionMs: number;
  readonly find: (group: string) => Group | undefined;
  /** The member was heard of. */
  readonly renew: (group: Group, member: Member) => void;
  readonly groups: () => readonly Group[];
  readonly forget: (group: Group) => Promise<void>;
}

export type GroupTopicPartition = { readonly topic: string; readonly partition: number };

/** Characters, Kafka's `offset.metadata.max.bytes`. */
const MAX_METADATA = 4096;
/** Kafka's `offsets.retention.check.interval.ms`. */
const CHECK_INTERVAL = 600_000;
const NONE = { offset: -1, leaderEpoch: -1, metadata: '' };

export class OffsetCommits {
  private readonly seams: OffsetCommitsSeams;
  private cancel: (() => void) | undefined;

  constructor(seams: OffsetCommitsSeams) {
    this.seams = seams;
    seams.offsets.guard((group) => {
      const own = { group, memberId: '', groupInstanceId: null, generationId: -1 };
      expectMayCommit(seams.find(group), own, false);
    });
    this.checkLater();
  }

  /** All that is not refused is durable when it resolves. */
  async commit(request: OffsetCommitRequest): Promise<PartitionResult[]> {
    const group = this.seams.find(request.group);
    expectMayCommit(group, request, false);
    const member = group?.members.get(request.memberId);
    if (group !== undefined && member !== undefined) this.seams.renew(group, member);
    const { results, accepted } = judge(request, this.seams.clock.now());
    await appended(this.seams.offsets.write(request.group, accepted));
    return results;
  }

  /** Of these partitions, or of all that have one. What a transaction may still change is refused if `requireStable`. */
  fetch(group: string, of: readonly GroupTopicPartition[] | undefined, requireStable: boolean): FetchedOffset[] {
    this.seams.find(group);
    const { offsets } = this.seams;
    return (of ?? offsets.all(group)).map(({ topic, partition }): FetchedOffset => {
      const place = { group, topic, partition };
      if (requireStable && offsets.isUnstable(place)) {
        return { topic, partition, error: 'UNSTABLE_OFFSET_COMMIT', ...NONE };
      }
      const { offset, leaderEpoch, metadata } = offsets.find(place) ?? NONE;
      return { topic, partition, offset, leaderEpoch, metadata };
    });
  }

  /** Throws GROUP_ID_NOT_FOUND; NON_EMPTY_GROUP when members are no consumers, so that nobody knows what they read. */
  async delete(id: string, partitions: readonly GroupTopicPartition[]): Promise<PartitionResult[]> {
    const group = this.seams.find(id);
    if (group === undefined) throw new LogError('GROUP_ID_NOT_FOUND', `there is no group '${id}'`);
    if (group.state !== 'Empty' && group.protocolType !== 'consumer') {
      throw new LogError(
        'NON_EMPTY_GROUP',
        `group '${id}' has members of type '${group.protocolType}'; stop them first`,
      );
    }
    const { offsets } = this.seams;
    const free = partitions.filter(({ topic }) => !group.readsTopic(topic));
    const there = free.filter((one) => {
      const place = { group: id, ...one };
      return offsets.find(place) !== undefined || offsets.isUnstable(place);
    });
    await appended(offsets.forget(id, there));
    return partitions.map(({ topic, partition }) =>
      group.readsTopic(topic) ? { topic, partition, error: 'GROUP_SUBSCRIBED_TO_TOPIC' } : { topic, partition },
    );
  }

  /** The process's own commits go on. */
  stop(): void {
    this.cancel?.();
    this.cancel = undefined;
    this.seams.offsets.guard(() => undefined);
  }

  // ---- expiry ----

  private checkLater(): void {
    const check = () => {
      const next = () => {
        if (this.cancel !== undefined) this.checkLater();
      };
      // A disk that refuses this refuses commits as well, and those tell it; nothing is lost by looking again later.
      this.expire().then(next, next);
    };
    this.cancel = this.seams.clock.setTimer(CHECK_INTERVAL, check, true);
  }

  private async expire(): Promise<void> {
    const { offsets, groups, forget } = this.seams;
    for (const group of groups()) {
      const kept = offsets.all(group.id);
      const expired = kept.filter((one) => this.hasExpired(group, one));
      const over = group.state === 'Empty' && group.expected.size === 0 && offsets.unstable(group.id).length === 0;
      if (over && expired.length === kept.length) await forget(group);
      else await offsets.forget(group.id, expired);
    }
  }

  private hasExpired(group: Group, one: PartitionOffset): boolean {
    const { offsets, clock, retentionMs } = this.seams;
    const since = expiresSince(group, one);
    if (since === undefined || group.readsTopic(one.topic)) return false;
    if (offsets.isUnstable({ group: group.id, topic: one.topic, partition: one.partition })) return false;
    if (one.expireTimestamp !== undefined) return clock.now() >= one.expireTimestamp;
    return clock.now() - since >= retentionMs;
  }
}

/** undefined while the group's members keep it from expiring. */
function expiresSince(group: Group, { commitTimestamp }: CommittedOffset): number | undefined {
  if (group.protocolType === undefined) return commitTimestamp;
  if (group.state === 'Empty') return group.since;
  return group.state === 'Stable' && group.topics !== undefined ? commitTimestamp : undefined;
}

/** Throws when whoever asks has no right to commit for the group. A transaction may, also during a rebalance. */
export function expectMayCommit(group: Group | undefined, request: MemberRequest, transactional: boolean): void {
  const { group: id, memberId, groupInstanceId, generationId } = request;
  if (group === undefined) {
    if (generationId < 0) return;
    throw new LogError(
      transactional ? 'ILLEGAL_GENERATION' : 'GROUP_ID_NOT_FOUND',
      `member '${memberId}' commits for generation ${generationId}; there is no group '${id}'`,
    );
  }
  if (generationId < 0 && group.state === 'Empty') return;
  if (generationId >= 0 || memberId !== '' || groupInstanceId !== null) {
    group.currentMemberOf(request);
  } else if (!transactional && group.state !== 'Empty') {
    throw new LogError(
      'UNKNOWN_MEMBER_ID',
      `group '${id}' has ${group.members.size} members, who alone commit for it; stop them, or use another group`,
    );
  }
  if (!transactional && group.state === 'CompletingRebalance') {
    throw new LogError('REBALANCE_IN_PROGRESS', `group '${id}' is rebalancing; commit when it is done`);
  }
}

export function judge(
  { offsets, retentionTimeMs }: Pick<OffsetCommitRequest, 'offsets' | 'retentionTimeMs'>,
  now: number,
): { results: PartitionResult[]; accepted: PartitionOffset[] } {
  const results: PartitionResult[] = [];
  const accepted: PartitionOffset[] = [];
  const expireTimestamp = retentionTimeMs === undefined ? undefined : now + retentionTimeMs;
  for (const one of offsets) {
    const { topic, partition } = one;
    if (isTooLarge(one)) {
      results.push({ topic, partition, error: 'OFFSET_METADATA_TOO_LARGE' });
      continue;
    }
    results.push({ topic, partition });
    const { offset, leaderEpoch, metadata } = one;
    accepted.push({
      topic,
      partition,
      offset,
      leaderEpoch,
      metadata: metadata ?? '',
      commitTimestamp: now,
      expireTimestamp,
    });
  }
  return { results, accepted };
}

function isTooLarge({ metadata }: OffsetToCommit): boolean {
  return metadata !== null && metadata.length > MAX_METADATA;
}
