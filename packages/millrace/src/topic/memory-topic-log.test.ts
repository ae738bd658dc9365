/** The suite runs over the tests' own log as well: what the spout's tests rely on is what a real log does. */
import { type MemoryTopicLog, memoryTopicLog } from './memory-topic-log.ts';
import type { NewRecord } from './topic-log.ts';
import { type Backend, topicLogSuite } from './topic-log-suite.ts';
import { topicTransactionsSuite } from './topic-transactions-suite.fixture.ts';

const isTooLarge = ({ value }: NewRecord) => value !== null && value.byteLength > 4_000;

const backend = (log: MemoryTopicLog): Backend => ({
  // It has no limit of its own on a record's size.
  log: {
    ...log,
    produce: async (topic, records) => {
      if (topic === 'suite.done' && records.some(isTooLarge)) throw new Error('too large');
      await log.produce(topic, records);
    },
    transactions: (id) => {
      const transactions = log.transactions(id);
      return {
        ...transactions,
        async publish(topic, records, marker) {
          if (records.some(isTooLarge)) throw new Error('too large');
          await transactions.publish(topic, records, marker);
        },
      };
    },
  },
  reopen: async () => log,
  close: async () => {},
  compact: { skip: 'it keeps everything' },
  expire: { records: async (topic) => log.trim(topic, 0, 5) },
});

topicLogSuite('a log in memory', async () => backend(memoryTopicLog()));
topicLogSuite('a log in memory that answers later', async () => backend(memoryTopicLog({ asynchronous: true })));
topicTransactionsSuite('a log in memory', async () => backend(memoryTopicLog()));
