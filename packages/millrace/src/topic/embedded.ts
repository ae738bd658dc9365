/** The embedded log behind the seam of topic-log.ts. Reading it is a call, so nothing is asked for ahead. */
import type { Log, Producer } from '@millrace/broker';
import { LogError } from '@millrace/broker';
import { embeddedTransactions } from './embedded-transactions.ts';
import type { DeclaredTopic, NewRecord, PartitionReader, StartFrom, Taken, TopicLog } from './topic-log.ts';

/** Whoever opened `log` closes it, after closing this. */
export function embeddedTopicLog(log: Log): TopicLog {
  let producer: Producer | undefined;
  return {
    ensureTopic: (declared) => ensureTopic(log, declared),

    async offsets(topic, at) {
      return log.describeTopic(topic).partitions.map(({ partition }) => offsetAt(log, topic, partition, at));
    },

    read: (topic, partition, from, arrived) => reader(log, topic, partition, from, arrived),

    async produce(topic, records) {
      producer ??= log.producer();
      await producer.ready();
      await allSettled(records.map((record) => send(producer!, topic, record)));
    },

    transactions: (id) => embeddedTransactions(log, (declared) => ensureTopic(log, declared), id),

    commit: (group, topic, offsets) => log.commitOffsets(group, topic, offsets),
    committed: async (group, topic) => log.committedOffsets(group, topic),

    async close() {
      await producer?.close();
    },
  };
}

async function ensureTopic(log: Log, { name, partitions = 1, config = {} }: DeclaredTopic) {
  if (!log.topics().includes(name)) {
    try {
      await log.createTopic(name, { partitions, config });
    } catch (error) {
      if (!(error instanceof LogError && error.code === 'TOPIC_ALREADY_EXISTS')) throw error;
    }
  }
  const topic = log.describeTopic(name);
  return { partitions: topic.partitions.length, config: topic.config };
}

function offsetAt(log: Log, topic: string, partition: number, at: StartFrom): number {
  return typeof at === 'string'
    ? log.offsets(topic, partition)[at]
    : log.offsetForTime(topic, partition, Math.ceil(at.time));
}

function send(producer: Producer, topic: string, { key, value, timestamp, headers = [] }: NewRecord): Promise<unknown> {
  return producer.send({ topic, key, value, timestamp, headers });
}

/** The first failure is told when nothing is under way any more: what is tried again then comes after all of it. */
async function allSettled(sends: readonly Promise<unknown>[]): Promise<void> {
  for (const sent of await Promise.allSettled(sends)) if (sent.status === 'rejected') throw sent.reason;
}

function reader(log: Log, topic: string, partition: number, from: number, arrived: () => void): PartitionReader {
  let at = from;
  const stop = log.onAppend(topic, partition, arrived);
  return {
    take(): Taken {
      const { earliest, latest } = log.offsets(topic, partition);
      if (at < earliest || at > latest) return { outOfRange: { offset: at, earliest, latest } };
      if (at === latest) return { records: [], next: at };
      const { records, nextOffset } = log.read(topic, partition, at);
      at = nextOffset;
      return { records, next: at };
    },
    seek(offset) {
      at = offset;
    },
    pause() {},
    resume() {},
    close: stop,
  };
}
