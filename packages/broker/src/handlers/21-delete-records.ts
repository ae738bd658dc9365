import { LogError } from '../errors.ts';
import { deletes } from '../log/topic-config.ts';
import { NO_UUID } from '../protocol/fields.ts';
import { DeleteRecords } from '../protocol/messages/topics.ts';
import { type Call, handler } from '../server/handler.ts';
import { itemError } from './item-error.ts';
import { partitionOf } from './partition-of.ts';

/**
 * DeleteRecords, v0–2: lets go what lies before an offset, or everything for -1; the answer waits until that is durable.
 * As in Kafka it is refused where the topic is only compacted.
 */
const NONE = -1;

export const deleteRecords = handler(
  DeleteRecords,
  async ({ topics }, call) => ({
    throttleTimeMs: 0,
    topics: await Promise.all(
      topics.map(async ({ name, partitions }) => ({
        name,
        partitions: await Promise.all(
          partitions.map(({ partitionIndex, offset }) => deleteBefore(name, partitionIndex, offset, call)),
        ),
      })),
    ),
  }),
  ({ topics }, errorCode) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, lowWatermark: NONE, errorCode })),
    })),
  }),
);

async function deleteBefore(topic: string, partitionIndex: number, offset: number, call: Call) {
  try {
    const partition = partitionOf(call.broker.log, { topic, topicId: NO_UUID, partition: partitionIndex });
    if (!deletes(partition.config)) {
      throw new LogError('POLICY_VIOLATION', `${partition.name}: its topic's cleanup.policy does not delete`);
    }
    return { partitionIndex, lowWatermark: await partition.deleteRecordsBefore(offset), errorCode: 0 };
  } catch (error) {
    const { errorCode } = itemError(error, call, `DeleteRecords of ${topic}-${partitionIndex}`);
    return { partitionIndex, lowWatermark: NONE, errorCode };
  }
}
