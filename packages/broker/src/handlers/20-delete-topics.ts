import { codeOf, errorNumber, LogError } from '../errors.ts';
import { NO_UUID } from '../protocol/fields.ts';
import { DeleteTopics } from '../protocol/messages/topics.ts';
import { type Call, handler } from '../server/handler.ts';
import { topicOf } from './partition-of.ts';

/** DeleteTopics, v1–6: by name or, from v6 on, by id; the answer waits until that is durable. */
export const deleteTopics = handler(
  DeleteTopics,
  async ({ topics, topicNames }, call) => {
    const named = topicNames.map((name) => ({ name, topicId: NO_UUID }));
    return {
      throttleTimeMs: 0,
      responses: await Promise.all([...topics, ...named].map(({ name, topicId }) => remove(name, topicId, call))),
    };
  },
  ({ topics, topicNames }, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    responses: [...topics.map(({ name }) => name), ...topicNames].map((name) => ({ name, errorCode, errorMessage })),
  }),
);

async function remove(name: string | null, topicId: string, { broker }: Call) {
  try {
    if (name !== null && topicId !== NO_UUID) {
      throw new LogError('INVALID_REQUEST', `a topic is named either '${name}' or ${topicId}, not both`);
    }
    const topic = topicOf(broker.log, { topic: name ?? '', topicId });
    await broker.log.deleteTopic(topic.name);
    return { name: topic.name, topicId: topic.id, errorCode: 0 };
  } catch (error) {
    const code = codeOf(error);
    if (code === 'UNKNOWN_SERVER_ERROR') broker.say(`DeleteTopics of '${name}' failed: ${String(error)}`);
    const errorMessage = error instanceof LogError ? error.message : null;
    return { name, topicId, errorCode: errorNumber(code), errorMessage };
  }
}
