import { LogError } from '../errors.ts';
import type { ReadOf } from '../protocol/message.ts';
import { CreatePartitions } from '../protocol/messages/topics.ts';
import { type Call, handler } from '../server/handler.ts';
import { expectOnce, itemError, repeated } from './item-error.ts';

/** CreatePartitions, v0–3: adds partitions to topics, each topic on its own; the answer waits until they are durable. */
type TopicRequest = ReadOf<typeof CreatePartitions.request.shape>['topics'][number];

export const createPartitions = handler(
  CreatePartitions,
  async ({ topics, validateOnly }, call) => {
    const again = repeated(topics.map(({ name }) => name));
    const results = topics.map(async (one) => {
      const { name } = one;
      try {
        expectOnce(again, name, `topic '${name}'`);
        await grow(one, validateOnly, call);
        return { name, errorCode: 0 };
      } catch (error) {
        return { name, ...itemError(error, call, `CreatePartitions of '${name}'`) };
      }
    });
    return { throttleTimeMs: 0, results: await Promise.all(results) };
  },
  ({ topics }, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    results: topics.map(({ name }) => ({ name, errorCode, errorMessage })),
  }),
);

async function grow(
  { name, count, assignments }: TopicRequest,
  validateOnly: boolean,
  { broker }: Call,
): Promise<void> {
  const { catalog } = broker.log;
  catalog.expectGrowable(name, count);
  const more = count - catalog.topic(name).partitions.length;
  const isHere = assignments?.every(({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === broker.nodeId);
  if (assignments !== null && !(assignments.length === more && isHere === true)) {
    throw new LogError(
      'INVALID_REPLICA_ASSIGNMENT',
      `topic '${name}' gets ${more} more partitions, each to be assigned to broker ${broker.nodeId} alone`,
    );
  }
  if (!validateOnly) await catalog.grow(name, count);
}
