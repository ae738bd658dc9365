/**
 * Apache Kafka, or any broker that speaks its protocol, behind the seam of topic-log.ts.
 *
 * The client library (decision 0501) connects, encodes and decodes. Which partition is read where, how far ahead, and
 * what is done about a broker that is away is decided here, because partitions are assigned by the engine.
 */
import { Cluster, type KafkaOptions } from './kafka/cluster.ts';
import { Fetcher } from './kafka/fetcher.ts';
import { GroupOffsets } from './kafka/group-offsets.ts';
import { Publisher } from './kafka/publisher.ts';
import { ensureTopic, offsets } from './kafka/topics.ts';
import { KafkaTransactions } from './kafka/transactions.ts';
import type { TopicLog } from './topic-log.ts';

/** What has not been written so long after `close` is given up: the brokers are away. */
const CLOSE_WITHIN = 5_000;

/** Connects when it is first asked for something. */
export function kafkaTopicLog(options: KafkaOptions): TopicLog {
  const cluster = new Cluster(options);
  const fetcher = new Fetcher(cluster);
  const publisher = new Publisher(cluster);
  const groups = new GroupOffsets(cluster);
  return {
    ensureTopic: (declared) => ensureTopic(cluster, declared),
    offsets: (topic, at) => offsets(cluster, topic, at),
    read: (topic, partition, from, arrived) => fetcher.read(topic, partition, from, arrived),
    produce: (topic, records) => publisher.produce(topic, records),
    transactions: (id) => new KafkaTransactions(cluster, id),
    commit: (group, topic, positions) => groups.commit(group, topic, positions),
    committed: (group, topic) => groups.committed(group, topic),
    async close() {
      await Promise.race([publisher.settled(), cluster.pause(CLOSE_WITHIN)]);
      await cluster.close();
    },
  };
}
