import { codeOf, errorNumber, LogError, type LogErrorCode } from '../errors.ts';
import type { OffsetToCommit } from '../groups/requests.ts';
import { unknownPartition } from '../log/partition-errors.ts';
import { OffsetCommit } from '../protocol/messages/groups.ts';
import { handler } from '../server/handler.ts';
import { topicOf } from './partition-of.ts';

/**
 * OffsetCommit, v2–10. Durable when it is answered. A topic or partition that does not exist is refused by itself; what
 * the group refuses is refused for all partitions. Left out: the epochs of the new group protocol.
 */
const OWN_RETENTION_UNTIL = 4;
const GROUP_ID_NOT_FOUND_SINCE = 9;

export const offsetCommit = handler(
  OffsetCommit,
  async (request, { version, broker }) => {
    const offsets: OffsetToCommit[] = [];
    const topics = request.topics.map(({ topicId, name, partitions }) => ({
      topicId,
      name,
      partitions: partitions.map((one) => {
        const { partitionIndex, committedOffset: offset, committedLeaderEpoch: leaderEpoch } = one;
        let error: LogErrorCode | undefined;
        try {
          const topic = topicOf(broker.log, { topic: name, topicId });
          if (topic.partitions[partitionIndex] === undefined) throw unknownPartition(topic.name, partitionIndex);
          const metadata = one.committedMetadata;
          offsets.push({ topic: topic.name, partition: partitionIndex, offset, leaderEpoch, metadata });
        } catch (failure) {
          error = codeOf(failure);
        }
        return { partitionIndex, error };
      }),
    }));
    const { groupId: group, memberId, groupInstanceId, generationIdOrMemberEpoch: generationId } = request;
    const ownRetention = version <= OWN_RETENTION_UNTIL && request.retentionTimeMs >= 0;
    const results = await broker.groups.offsets
      .commit({
        group,
        memberId,
        groupInstanceId,
        generationId,
        offsets,
        ...(ownRetention ? { retentionTimeMs: request.retentionTimeMs } : {}),
      })
      .catch((error: unknown) => {
        // Older clients know no other name for it.
        const old = version < GROUP_ID_NOT_FOUND_SINCE && codeOf(error) === 'GROUP_ID_NOT_FOUND';
        throw old ? new LogError('ILLEGAL_GENERATION', `there is no group '${group}'`, { cause: error }) : error;
      });
    const inOrder = results.values();
    return {
      topics: topics.map(({ topicId, name, partitions }) => ({
        topicId,
        name,
        partitions: partitions.map(({ partitionIndex, error }) => ({
          partitionIndex,
          errorCode: errorNumber(error ?? inOrder.next().value?.error),
        })),
      })),
    };
  },
  ({ topics }, errorCode) => ({
    topics: topics.map(({ topicId, name, partitions }) => ({
      topicId,
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
    })),
  }),
);
