import { LogError } from '../errors.ts';

/** What is said of a partition that cannot serve, wherever that is found out. */
export function corruption(topic: string, partition: number, offset: number, what: string): LogError {
  return new LogError(
    'CORRUPT_MESSAGE',
    `topic '${topic}' partition ${partition}: the batch at offset ${offset} was durable and is damaged (${what}); the partition refuses writes until its files are restored or the topic is deleted`,
  );
}

export function unknownPartition(topic: string, partition: number): LogError {
  return new LogError('UNKNOWN_TOPIC_OR_PARTITION', `topic '${topic}' partition ${partition} does not exist`);
}
