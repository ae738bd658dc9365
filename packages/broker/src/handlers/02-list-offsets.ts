import { LogError } from '../errors.ts';
import type { Partition } from '../log/partition.ts';
import { NO_UUID } from '../protocol/fields.ts';
import { ListOffsets } from '../protocol/messages/records.ts';
import { type Call, handler } from '../server/handler.ts';
import { expectOnce, itemError, repeated } from './item-error.ts';
import { partitionOf } from './partition-of.ts';

/**
 * ListOffsets, v1–11: the first offset at or after a time, and the named ones. -1 is the latest (for read_committed
 * the last stable offset), -2 and -4 the earliest (there is no other tier), -3 the record with the greatest timestamp;
 * -5 and -6, which concern tiered storage, have none. A name that the request's version does not have is refused.
 */
const LATEST = -1;
const EARLIEST = -2;
const MAX_TIMESTAMP = -3;
const EARLIEST_LOCAL = -4;
const LATEST_TIERED = -5;
const EARLIEST_PENDING_UPLOAD = -6;
/** The first version that knows each. */
const namesSince = new Map([
  [LATEST, 0],
  [EARLIEST, 0],
  [MAX_TIMESTAMP, 7],
  [EARLIEST_LOCAL, 8],
  [LATEST_TIERED, 9],
  [EARLIEST_PENDING_UPLOAD, 11],
]);
const READ_COMMITTED = 1;

interface Asked {
  readonly partitionIndex: number;
  readonly timestamp: number;
  readonly currentLeaderEpoch: number;
}

export const listOffsets = handler(
  ListOffsets,
  ({ topics, isolationLevel }, call) => {
    const committedOnly = isolationLevel === READ_COMMITTED;
    const again = repeated(
      topics.flatMap(({ name, partitions }) => partitions.map(({ partitionIndex }) => `${name}-${partitionIndex}`)),
    );
    return {
      throttleTimeMs: 0,
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map((one) => answer(name, one, committedOnly, again, call)),
      })),
    };
  },
  ({ topics }, errorCode) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
    })),
  }),
);

function answer(
  topic: string,
  { partitionIndex, timestamp, currentLeaderEpoch }: Asked,
  committedOnly: boolean,
  again: ReadonlySet<string>,
  call: Call,
) {
  const name = `${topic}-${partitionIndex}`;
  try {
    expectOnce(again, name, name);
    const partition = partitionOf(call.broker.log, { topic, topicId: NO_UUID, partition: partitionIndex });
    if (currentLeaderEpoch > 0) throw new LogError('UNKNOWN_LEADER_EPOCH', 'the only leader epoch is 0');
    if (timestamp < 0 && !(call.version >= (namesSince.get(timestamp) ?? Number.POSITIVE_INFINITY))) {
      throw new LogError('UNSUPPORTED_VERSION', `version ${call.version} has no offset by the name ${timestamp}`);
    }
    const found = lookUp(partition, timestamp, committedOnly);
    return { partitionIndex, errorCode: 0, ...found, leaderEpoch: found.offset === -1 ? -1 : 0 };
  } catch (error) {
    return { partitionIndex, errorCode: itemError(error, call, `ListOffsets of ${name}`).errorCode };
  }
}

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
