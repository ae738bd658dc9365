/** `@millrace/broker`: a single-node Kafka in this process, and the durable log under it, useful alone. */
export { LogError, type LogErrorCode } from './errors.ts';
export type {
  GroupLag,
  Log,
  LogOptions,
  LogRecord,
  PartitionDescription,
  Producer,
  ProducerOptions,
  ProducerRecord,
  RecordHeader,
  RecordMetadata,
  TopicConfig,
  TopicDescription,
  TransactionalProducer,
} from './log/api.ts';
export { type Clock, systemClock } from './log/clock.ts';
export { lockDirectory } from './log/directory-lock.ts';
export { fileStorage } from './log/file-storage.ts';
export { openLog } from './log/log.ts';
export { partitionForKey } from './log/partitioner.ts';
export type { Storage, StorageFile } from './log/storage.ts';
export { Broker, type BrokerOptions } from './server/broker.ts';
export type { BrokerSettings } from './server/settings.ts';
