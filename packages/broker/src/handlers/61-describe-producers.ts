import { errorNumber } from '../errors.ts';
import { DescribeProducers } from '../protocol/messages/transactions.ts';
import { handler } from '../server/handler.ts';

/** DescribeProducers, v0. Nothing is left out. */
export const describeProducers = handler(
  DescribeProducers,
  ({ topics }, { broker }) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => {
        const partition = broker.log.catalog.find(name)?.partitions[partitionIndex];
        if (partition === undefined) return missing(name, partitionIndex);
        return { partitionIndex, errorCode: 0, activeProducers: [...partition.producers()] };
      }),
    })),
  }),
  ({ topics }, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => ({
        partitionIndex,
        errorCode,
        errorMessage,
        activeProducers: [],
      })),
    })),
  }),
);

function missing(topic: string, partitionIndex: number) {
  const errorMessage = `topic '${topic}' partition ${partitionIndex} does not exist`;
  return { partitionIndex, errorCode: errorNumber('UNKNOWN_TOPIC_OR_PARTITION'), errorMessage, activeProducers: [] };
}
