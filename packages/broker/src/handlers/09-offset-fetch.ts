import { codeOf, errorNumber } from '../errors.ts';
import type { FetchedOffset } from '../groups/requests.ts';
import { NO_UUID } from '../protocol/fields.ts';
import type { ReadOf } from '../protocol/message.ts';
import { OffsetFetch } from '../protocol/messages/groups.ts';
import { type Call, handler } from '../server/handler.ts';
import { topicOf } from './partition-of.ts';

/**
 * OffsetFetch, v1–10: of one group, from version 8 on of several, topics by id from version 10 on. Null for topics means
 * all that have an offset. What has none is answered with -1. Left out: the epochs of the new group protocol.
 */
type Request = ReadOf<typeof OffsetFetch.request.shape>;
type GroupRequest = Request['groups'][number];
type TopicsRequest = GroupRequest['topics'];

const GROUPS_SINCE = 8;
const TOPIC_IDS_SINCE = 10;

export const offsetFetch = handler(
  OffsetFetch,
  (request, call) => {
    const { groupId, topics, requireStable } = request;
    if (call.version >= GROUPS_SINCE) {
      return { groups: request.groups.map((group) => ({ ...answer(group, requireStable, call), errorCode: 0 })) };
    }
    const asked = topics?.map((topic) => ({ ...topic, topicId: NO_UUID })) ?? null;
    return { ...answer({ groupId, topics: asked }, requireStable, call), errorCode: 0 };
  },
  ({ groups, topics }, errorCode) => ({
    groups: groups.map((group) => ({ groupId: group.groupId, topics: refused(group.topics, errorCode), errorCode })),
    topics: refused(topics?.map((topic) => ({ ...topic, topicId: NO_UUID })) ?? null, errorCode),
    errorCode,
  }),
);

function answer(
  { groupId, topics }: Pick<GroupRequest, 'groupId' | 'topics'>,
  requireStable: boolean,
  { broker, version }: Call,
) {
  const { log, groups } = broker;
  if (topics === null) {
    const offsets = groups.offsets
      .fetch(groupId, undefined, requireStable)
      .filter(({ topic }) => log.catalog.has(topic));
    const byTopic = Map.groupBy(offsets, ({ topic }) => topic);
    return {
      groupId,
      topics: [...byTopic].map(([name, partitions]) => ({
        topicId: version >= TOPIC_IDS_SINCE ? log.catalog.topic(name).id : NO_UUID,
        name,
        partitions: partitions.map(row),
      })),
    };
  }
  return {
    groupId,
    topics: topics.map(({ topicId, name, partitionIndexes }) => {
      try {
        const topic = version >= TOPIC_IDS_SINCE ? topicOf(log, { topic: name, topicId }).name : name;
        const asked = partitionIndexes.map((partition) => ({ topic, partition }));
        return { topicId, name, partitions: groups.offsets.fetch(groupId, asked, requireStable).map(row) };
      } catch (error) {
        if (codeOf(error) !== 'UNKNOWN_TOPIC_ID') throw error;
        return { topicId, name, partitions: partitionIndexes.map((n) => nothing(n, errorNumber('UNKNOWN_TOPIC_ID'))) };
      }
    }),
  };
}

function row({ partition, offset, leaderEpoch, metadata, error }: FetchedOffset) {
  return {
    partitionIndex: partition,
    committedOffset: offset,
    committedLeaderEpoch: leaderEpoch,
    metadata,
    errorCode: errorNumber(error),
  };
}

function nothing(partitionIndex: number, errorCode: number) {
  return { partitionIndex, committedOffset: -1, committedLeaderEpoch: -1, metadata: '', errorCode };
}

function refused(topics: TopicsRequest, errorCode: number) {
  return (topics ?? []).map(({ topicId, name, partitionIndexes }) => ({
    topicId,
    name,
    partitions: partitionIndexes.map((partition) => nothing(partition, errorCode)),
  }));
}
