import { errorNumber, LogError } from '../errors.ts';
import { OffsetDelete } from '../protocol/messages/groups.ts';
import { handler } from '../server/handler.ts';

/** OffsetDelete, v0: offsets of topics that none of the group's members subscribes to. Nothing is left out. */
export const offsetDelete = handler(
  OffsetDelete,
  async ({ groupId, topics }, { broker }) => {
    if (groupId === '') throw new LogError('INVALID_GROUP_ID', "a group's name has at least one character");
    const { catalog } = broker.log;
    const there = new Set(topics.filter(({ name }) => catalog.has(name)));
    const asked = [...there].flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex })),
    );
    const results = (await broker.groups.offsets.delete(groupId, asked)).values();
    return {
      errorCode: 0,
      throttleTimeMs: 0,
      topics: topics.map((topic) => ({
        name: topic.name,
        partitions: topic.partitions.map(({ partitionIndex }) => ({
          partitionIndex,
          errorCode: errorNumber(there.has(topic) ? results.next().value?.error : 'UNKNOWN_TOPIC_OR_PARTITION'),
        })),
      })),
    };
  },
  (_, errorCode) => ({ errorCode, throttleTimeMs: 0, topics: [] }),
);
