import { LogError } from '../errors.ts';
import type { TopicConfig } from '../log/api.ts';
import { defaultConfig, parseSetting, settingNames, settingText } from '../log/topic-config.ts';
import type { ReadOf, WriteOf } from '../protocol/message.ts';
import { CreateTopics } from '../protocol/messages/topics.ts';
import { type Call, handler } from '../server/handler.ts';
import { expectFew, expectOnce, itemError, repeated } from './item-error.ts';

/**
 * CreateTopics, v2–7: makes topics, each on its own; the answer waits until they are durable. There is one broker, so a
 * replication factor other than 1 (or -1, the default) is refused as Kafka does where brokers are too few.
 */
type Request = ReadOf<typeof CreateTopics.request.shape>;
type Response = WriteOf<typeof CreateTopics.response.shape>;
type TopicRequest = Request['topics'][number];
type TopicResponse = Response['topics'][number];

const DEFAULT = -1;
/** ConfigSource: set on the topic; left as it was. */
const DYNAMIC_TOPIC = 1;
const DEFAULT_SOURCE = 5;

export const createTopics = handler(
  CreateTopics,
  async ({ topics, validateOnly }, call) => {
    expectFew(topics, 'topics');
    const again = repeated(topics.map(({ name }) => name));
    return {
      throttleTimeMs: 0,
      topics: await Promise.all(topics.map((one) => create(one, again, validateOnly, call))),
    };
  },
  ({ topics }, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name }) => ({ name, errorCode, errorMessage, configs: [] })),
  }),
);

async function create(
  one: TopicRequest,
  again: ReadonlySet<string>,
  validateOnly: boolean,
  call: Call,
): Promise<TopicResponse> {
  const { name } = one;
  const { broker } = call;
  try {
    expectOnce(again, name, `topic '${name}'`);
    const partitions = partitionsOf(one, broker.nodeId) ?? broker.settings['num.partitions'];
    const set: Partial<TopicConfig> = {};
    for (const { name: setting, value } of one.configs) {
      if (value === null) throw new LogError('INVALID_CONFIG', `topic '${name}': ${setting} has no value`);
      Object.assign(set, parseSetting(setting, value));
    }
    const { catalog } = broker.log;
    if (validateOnly) catalog.expectCreatable(name, partitions, set);
    const topic = validateOnly ? undefined : await catalog.create(name, partitions, set);
    const config = topic?.config ?? { ...defaultConfig, ...set };
    return {
      name,
      ...(topic === undefined ? {} : { topicId: topic.id }),
      errorCode: 0,
      errorMessage: null,
      numPartitions: partitions,
      replicationFactor: 1,
      configs: settingNames.map((setting) => ({
        name: setting,
        value: settingText(setting, config[setting]),
        readOnly: false,
        configSource: setting in set ? DYNAMIC_TOPIC : DEFAULT_SOURCE,
        isSensitive: false,
      })),
    };
  } catch (error) {
    return { name, ...itemError(error, call, `CreateTopics of '${name}'`), configs: [] };
  }
}

/** Nothing where the request leaves it to the broker. */
function partitionsOf({ name, numPartitions, replicationFactor, assignments }: TopicRequest, nodeId: number) {
  if (assignments.length > 0) {
    if (numPartitions !== DEFAULT || replicationFactor !== DEFAULT) {
      const what = `topic '${name}' has both an assignment of replicas and a number of partitions or replicas`;
      throw new LogError('INVALID_REQUEST', what);
    }
    const indexes = new Set(assignments.map(({ partitionIndex }) => partitionIndex));
    const isWhole = indexes.size === assignments.length && assignments.every((_, index) => indexes.has(index));
    const isHere = assignments.every(({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === nodeId);
    if (isWhole && isHere) return assignments.length;
    throw new LogError(
      'INVALID_REPLICA_ASSIGNMENT',
      `topic '${name}': partitions must be assigned from 0 on without gaps, each to broker ${nodeId} alone`,
    );
  }
  if (replicationFactor !== DEFAULT && replicationFactor !== 1) {
    throw new LogError(
      'INVALID_REPLICATION_FACTOR',
      `topic '${name}' cannot have ${replicationFactor} replicas: this is one broker. For replication point the clients to an Apache Kafka cluster`,
    );
  }
  return numPartitions === DEFAULT ? undefined : numPartitions;
}
