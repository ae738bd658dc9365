/** The suite runs over the tests' own log as well: what the spout's tests rely on is what a real log does. */
import { type MemoryTopicLog, memoryTopicLog } from './memory-topic-log.ts';
import { type Backend, topicLogSuite } from './topic-log-suite.ts';

const backend = (log: MemoryTopicLog): Backend => ({
  // It has no limit of its own on a record's size.
  log: {
    ...log,
    produce: async (topic, records) => {
      if (topic === 'suite.done' && records.some(({ value }) => value && value.byteLength > 2_000))
        throw new Error('too large');
      await log.produce(topic, records);
    },
  },
  reopen: async () => log,
  close: async () => {},
  expire: { records: async (topic) => log.trim(topic, 0, 5) },
});

topicLogSuite('a log in memory', async () => backend(memoryTopicLog()));
topicLogSuite('a log in memory that answers later', async () => backend(memoryTopicLog({ asynchronous: true })));
