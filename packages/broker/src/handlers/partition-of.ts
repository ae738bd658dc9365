import { LogError } from '../errors.ts';
import type { DirectoryLog } from '../log/log.ts';
import type { Partition } from '../log/partition.ts';
import { unknownPartition } from '../log/partition-errors.ts';
import type { Topic } from '../log/topic.ts';
import { NO_UUID } from '../protocol/fields.ts';

/** A topic as requests name it: by its name, or from some version on by its id (KIP-516). */
export interface TopicReference {
  /** '' where the request goes by ids. */
  readonly topic: string;
  readonly topicId: string;
}

/** Throws UNKNOWN_TOPIC_OR_PARTITION, or UNKNOWN_TOPIC_ID. */
export function topicOf(log: DirectoryLog, { topic, topicId }: TopicReference): Topic {
  if (topicId === NO_UUID) return log.catalog.topic(topic);
  const found = log.catalog.byId(topicId);
  if (found === undefined) throw new LogError('UNKNOWN_TOPIC_ID', `there is no topic with the id ${topicId}`);
  return found;
}

export function partitionOf(log: DirectoryLog, one: TopicReference & { readonly partition: number }): Partition {
  const { name, partitions } = topicOf(log, one);
  const partition = partitions[one.partition];
  if (partition === undefined) throw unknownPartition(name, one.partition);
  return partition;
}
