import { codeOf, errorNumber, LogError } from '../errors.ts';
import type { Partition } from '../log/partition.ts';
import { NO_UUID } from '../protocol/fields.ts';
import { ListOffsets } from '../protocol/messages/records.ts';
import { handler } from '../server/handler.ts';
import { partitionOf } from './partition-of.ts';

/**
 * ListOffsets, v1–11: the first offset at or after a time, and the named ones. -1 is the latest (for read_committed
 * the last stable offset), -2 and -4 the earliest (there is no other tier), -3 the record with the greatest timestamp;
 * -5 and -6, which concern tiered storage, have none.
 */
const LATEST = -1;
const EARLIEST = -2;
const MAX_TIMESTAMP = -3;
const EARLIEST_LOCAL = -4;
const READ_COMMITTED = 1;

export const listOffsets = handler(
  ListOffsets,
  ({ topics, isolationLevel }, { broker }) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex, timestamp, currentLeaderEpoch }) => {
        try {
          const partition = partitionOf(broker.log, { topic: name, topicId: NO_UUID, partition: partitionIndex });
          if (currentLeaderEpoch > 0) throw new LogError('UNKNOWN_LEADER_EPOCH', 'the only leader epoch is 0');
          const found = lookUp(partition, timestamp, isolationLevel === READ_COMMITTED);
          return { partitionIndex, errorCode: 0, ...found, leaderEpoch: found.offset === -1 ? -1 : 0 };
        } catch (error) {
          const code = codeOf(error);
          if (code === 'UNKNOWN_SERVER_ERROR') broker.say(`ListOffsets of ${name}-${partitionIndex} failed: ${error}`);
          return { partitionIndex, errorCode: errorNumber(code) };
        }
      }),
    })),
  }),
  ({ topics }, errorCode) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
    })),
  }),
);

/** -1 where there is none. */
function lookUp(
  partition: Partition,
  timestamp: number,
  committedOnly: boolean,
): { timestamp: number; offset: number } {
  const end = committedOnly ? partition.lastStableOffset : partition.highWatermark;
  if (timestamp === LATEST) return { timestamp: -1, offset: end };
  if (timestamp === EARLIEST || timestamp === EARLIEST_LOCAL) return { timestamp: -1, offset: partition.start };
  if (timestamp < 0 && timestamp !== MAX_TIMESTAMP) return { timestamp: -1, offset: -1 };
  const found = timestamp === MAX_TIMESTAMP ? partition.latestByTime(end) : partition.firstSince(timestamp, end);
  return found ?? { timestamp: -1, offset: -1 };
}
