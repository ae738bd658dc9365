import { errorNumber, LogError } from '../errors.ts';
import { NO_UUID } from '../protocol/fields.ts';
import type { ReadOf, WriteOf } from '../protocol/message.ts';
import { DescribeTopicPartitions } from '../protocol/messages/cluster.ts';
import { type Call, handler } from '../server/handler.ts';
import { topicOperations } from './operations.ts';

/**
 * DescribeTopicPartitions, v0: topics in the order of their names, at most so many partitions at a time; `nextCursor` says
 * where to go on. None asked for is all.
 */
type Request = ReadOf<typeof DescribeTopicPartitions.request.shape>;
type Response = WriteOf<typeof DescribeTopicPartitions.response.shape>;

/** Kafka's max.request.partition.size.limit. */
const MOST_PARTITIONS = 2000;

export const describeTopicPartitions = handler(
  DescribeTopicPartitions,
  (request, call) => describe(request, call),
  ({ topics }, errorCode) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name }) => missing(name, errorCode)),
    nextCursor: null,
  }),
);

function describe({ topics, responsePartitionLimit, cursor }: Request, { broker }: Call): Response {
  if (cursor !== null && cursor.partitionIndex < 0) {
    throw new LogError('INVALID_REQUEST', `the cursor is at partition ${cursor.partitionIndex}`);
  }
  const { catalog } = broker.log;
  const asked = topics.length === 0 ? catalog.names() : [...new Set(topics.map(({ name }) => name))].sort();
  const names = cursor === null ? asked : asked.filter((name) => name >= cursor.topicName);
  let left = Math.max(1, Math.min(responsePartitionLimit, MOST_PARTITIONS));
  const found: Response['topics'][number][] = [];
  for (const name of names) {
    if (left === 0) return { throttleTimeMs: 0, topics: found, nextCursor: { topicName: name, partitionIndex: 0 } };
    const topic = catalog.find(name);
    if (topic === undefined) {
      found.push(missing(name, errorNumber('UNKNOWN_TOPIC_OR_PARTITION')));
      continue;
    }
    const first = name === cursor?.topicName ? cursor.partitionIndex : 0;
    const shown = topic.partitions.slice(first, first + left);
    found.push({
      errorCode: 0,
      name,
      topicId: topic.id,
      isInternal: false,
      partitions: shown.map(({ partition }) => partitionOn(broker.nodeId, partition)),
      topicAuthorizedOperations: topicOperations,
    });
    left -= shown.length;
    const next = first + shown.length;
    if (next < topic.partitions.length) {
      return { throttleTimeMs: 0, topics: found, nextCursor: { topicName: name, partitionIndex: next } };
    }
  }
  return { throttleTimeMs: 0, topics: found, nextCursor: null };
}

function missing(name: string, errorCode: number): Response['topics'][number] {
  return { errorCode, name, topicId: NO_UUID, isInternal: false, partitions: [] };
}

function partitionOn(nodeId: number, partitionIndex: number) {
  return {
    errorCode: 0,
    partitionIndex,
    leaderId: nodeId,
    leaderEpoch: 0,
    replicaNodes: [nodeId],
    isrNodes: [nodeId],
    eligibleLeaderReplicas: [],
    lastKnownElr: [],
    offlineReplicas: [],
  };
}
