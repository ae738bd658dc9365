import { codeOf, errorNumber, LogError } from '../errors.ts';
import type { Topic } from '../log/topic.ts';
import { NO_UUID } from '../protocol/fields.ts';
import type { ReadOf, WriteOf } from '../protocol/message.ts';
import { Metadata } from '../protocol/messages/cluster.ts';
import { type Call, handler } from '../server/handler.ts';
import { clusterOperations, topicOperations } from './operations.ts';
import { topicOf } from './partition-of.ts';

/**
 * Metadata, v0–13: the broker, and topics with their partitions, by name or by id. A topic that is asked for by name and
 * is not there is made, if the client and `auto.create.topics.enable` both want it; the answer waits for it.
 * Without an authorizer everybody may do everything, and a client that asks for its authorized operations hears that.
 */
const TOPIC_IDS_SINCE = 12;

type Request = ReadOf<typeof Metadata.request.shape>;
type Response = WriteOf<typeof Metadata.response.shape>;
type TopicResponse = Response['topics'][number];

export const metadata = handler(
  Metadata,
  async (request, call) => {
    const { broker, client } = call;
    return {
      throttleTimeMs: 0,
      brokers: [{ nodeId: broker.nodeId, ...client.endpoint }],
      clusterId: broker.clusterId,
      controllerId: broker.nodeId,
      topics: await Promise.all(asked(request, call).map((one) => describe(one, request, call))),
      ...(request.includeClusterAuthorizedOperations ? { clusterAuthorizedOperations: clusterOperations } : {}),
    };
  },
  ({ topics }, errorCode) => ({
    throttleTimeMs: 0,
    brokers: [],
    topics: (topics ?? []).map(({ name, topicId }) => nothingOf(name ?? '', topicId, errorCode)),
    errorCode,
  }),
);

function nothingOf(name: string | null, topicId: string, errorCode: number): TopicResponse {
  return { errorCode, name, topicId, isInternal: false, partitions: [] };
}

interface Asked {
  readonly name: string | null;
  readonly topicId: string;
}

/** All topics when none is named: in v0 by an empty list, later by null. Who is named twice is answered for once. */
function asked({ topics }: Request, { version, broker }: Call): readonly Asked[] {
  if (topics !== null && !(version === 0 && topics.length === 0)) {
    if (version < TOPIC_IDS_SINCE && topics.some(({ name, topicId }) => name === null || topicId !== NO_UUID)) {
      throw new LogError('INVALID_REQUEST', `topics are asked for by their ids from version ${TOPIC_IDS_SINCE} on`);
    }
    return [...new Map(topics.map((one) => [one.name ?? one.topicId, one])).values()];
  }
  return broker.log.catalog.names().map((name) => ({ name, topicId: NO_UUID }));
}

async function describe({ name, topicId }: Asked, request: Request, { broker }: Call): Promise<TopicResponse> {
  try {
    const topic = await foundOrMade(name, topicId, request, broker);
    return {
      errorCode: 0,
      name: topic.name,
      topicId: topic.id,
      isInternal: false,
      partitions: topic.partitions.map(({ partition }) => ({
        errorCode: 0,
        partitionIndex: partition,
        leaderId: broker.nodeId,
        leaderEpoch: 0,
        replicaNodes: [broker.nodeId],
        isrNodes: [broker.nodeId],
        offlineReplicas: [],
      })),
      ...(request.includeTopicAuthorizedOperations ? { topicAuthorizedOperations: topicOperations } : {}),
    };
  } catch (error) {
    const code = codeOf(error);
    if (code === 'UNKNOWN_SERVER_ERROR') broker.say(`Metadata of '${name}' failed: ${String(error)}`);
    return nothingOf(name, topicId, errorNumber(code));
  }
}

async function foundOrMade(
  name: string | null,
  topicId: string,
  { allowAutoTopicCreation }: Request,
  { log, settings }: Call['broker'],
): Promise<Topic> {
  if (name === null || topicId !== NO_UUID) return topicOf(log, { topic: '', topicId });
  const makes = allowAutoTopicCreation && settings['auto.create.topics.enable'];
  // Nobody waits for what no topic can be called.
  if (!(makes || log.catalog.has(name))) log.catalog.expectCreatable(name, 1, {});
  if (makes && !log.catalog.has(name)) {
    try {
      await log.createTopic(name, { partitions: settings['num.partitions'] });
    } catch (error) {
      // Another client wanted it, too.
      if (!(error instanceof LogError && error.code === 'TOPIC_ALREADY_EXISTS')) throw error;
    }
  }
  return log.catalog.topic(name);
}
