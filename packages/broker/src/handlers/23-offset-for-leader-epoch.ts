import { codeOf, errorNumber } from '../errors.ts';
import { NO_UUID } from '../protocol/fields.ts';
import { OffsetForLeaderEpoch } from '../protocol/messages/records.ts';
import { handler } from '../server/handler.ts';
import { partitionOf } from './partition-of.ts';

/**
 * OffsetForLeaderEpoch, v2–4: where a leader's records end, by which a consumer sees that the log was cut while it was
 * away (KIP-320). One broker has one leader epoch, 0, which ends where the log ends; of no other anything is known.
 */
const THE_EPOCH = 0;

export const offsetForLeaderEpoch = handler(
  OffsetForLeaderEpoch,
  ({ topics }, { broker }) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition, leaderEpoch, currentLeaderEpoch }) => {
        try {
          const { highWatermark } = partitionOf(broker.log, { topic, topicId: NO_UUID, partition });
          if (currentLeaderEpoch > THE_EPOCH) return { partition, errorCode: errorNumber('UNKNOWN_LEADER_EPOCH') };
          if (leaderEpoch !== THE_EPOCH) return { partition, errorCode: 0 };
          return { partition, errorCode: 0, leaderEpoch: THE_EPOCH, endOffset: highWatermark };
        } catch (error) {
          return { partition, errorCode: errorNumber(codeOf(error)) };
        }
      }),
    })),
  }),
  ({ topics }, errorCode) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition }) => ({ partition, errorCode })),
    })),
  }),
);
