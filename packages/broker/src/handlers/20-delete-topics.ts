import { LogError } from '../errors.ts';
import { NO_UUID } from '../protocol/fields.ts';
import { DeleteTopics } from '../protocol/messages/topics.ts';
import { type Call, handler } from '../server/handler.ts';
import { expectOnce, itemError, repeated } from './item-error.ts';
import { topicOf } from './partition-of.ts';

/** DeleteTopics, v1–6: by name or, from v6 on, by id, each once; the answer waits until that is durable. */
interface Named {
  readonly name: string | null;
  readonly topicId: string;
}

export const deleteTopics = handler(
  DeleteTopics,
  async ({ topics, topicNames }, call) => {
    const all = [...topics, ...topicNames.map((name) => ({ name, topicId: NO_UUID }))];
    const again = repeated(all.map(keyOf));
    return { throttleTimeMs: 0, responses: await Promise.all(all.map((one) => remove(one, again, call))) };
  },
  ({ topics, topicNames }, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    responses: [...topics.map(({ name }) => name), ...topicNames].map((name) => ({ name, errorCode, errorMessage })),
  }),
);

function keyOf({ name, topicId }: Named): string {
  return `${name} ${topicId}`;
}

async function remove(one: Named, again: ReadonlySet<string>, call: Call) {
  const { name, topicId } = one;
  const { broker } = call;
  try {
    expectOnce(again, keyOf(one), `topic '${name ?? topicId}'`);
    if ((name === null) === (topicId === NO_UUID)) {
      throw new LogError('INVALID_REQUEST', `a topic has either a name or an id here, not '${name}' and ${topicId}`);
    }
    const topic = topicOf(broker.log, { topic: name ?? '', topicId });
    await broker.log.deleteTopic(topic.name);
    return { name: topic.name, topicId: topic.id, errorCode: 0 };
  } catch (error) {
    return { name, topicId, ...itemError(error, call, `DeleteTopics of '${name ?? topicId}'`) };
  }
}
