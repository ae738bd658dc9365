import { LogError } from '../errors.ts';
import type { LogRecord, TopicConfig } from './api.ts';
import type { ProducerFault } from './producer-state.ts';
import {
  baseOffsetOf,
  claimedSize,
  codecOf,
  decodeRecords,
  faultOf,
  HEADER_BYTES,
  headerOf,
  isControl,
  isTransactional,
  magicOf,
} from './record-batch.ts';

/**
 * What a batch that came over the wire must be before a byte of it is written, with Kafka's error codes.
 *
 * The header is checked always, and the bytes against their checksum. The records inside are not looked at, so a batch
 * passes through untouched and at the same cost whatever its codec: Kafka, which decodes them, also refuses one whose
 * records do not say what its header says. Only on a compacted topic uncompressed batches are decoded, for their keys.
 * For the same reason the bounds on timestamps are kept by the header's two, the first record's and the greatest.
 */
const LAST_CODEC = 4;
const EXACT = Number.MAX_SAFE_INTEGER;

export function clientFaultOf(batch: Buffer, config: TopicConfig, now: number): ProducerFault | undefined {
  return frameFaultOf(batch, config) ?? headerFaultOf(batch, config, now) ?? keyFaultOf(batch, config);
}

function frameFaultOf(batch: Buffer, config: TopicConfig): ProducerFault | undefined {
  if (batch.length < HEADER_BYTES) {
    return batch.length === 0 ? invalid('no record batch was sent') : corrupt(faultOf(batch, 0, batch.length)!);
  }
  const magic = magicOf(batch, 0);
  if (magic === 0 || magic === 1) {
    return invalid(`the batch has the message format ${magic}; produce record batches of format 2`);
  }
  const size = claimedSize(batch, 0);
  if (size >= HEADER_BYTES && size < batch.length) {
    return invalid(`${batch.length - size} bytes follow the batch; send one record batch per partition`);
  }
  const most = config['max.message.bytes'];
  if (batch.length > most) {
    return { code: 'MESSAGE_TOO_LARGE', what: `the batch has ${batch.length} bytes; max.message.bytes is ${most}` };
  }
  const fault = faultOf(batch, 0, batch.length);
  return fault === undefined ? undefined : corrupt(fault);
}

function headerFaultOf(batch: Buffer, config: TopicConfig, now: number): ProducerFault | undefined {
  const { count, lastOffsetDelta, producerId, baseSequence, baseTimestamp, maxTimestamp } = headerOf(batch, 0);
  if (baseOffsetOf(batch, 0) !== 0) return invalid(`the batch's base offset is ${baseOffsetOf(batch, 0)} and not 0`);
  if (count === 0) return invalid('the batch has no records');
  if (count !== lastOffsetDelta + 1)
    return invalid(`the batch has ${count} records over ${lastOffsetDelta + 1} offsets`);
  if (isControl(batch, 0)) return invalid('clients do not write control batches');
  if (producerId > EXACT || producerId < -1) return invalid(`the batch's producer id is ${producerId}`);
  if (producerId >= 0 && baseSequence < 0) {
    return invalid(`the batch of producer ${producerId} has the sequence number ${baseSequence}`);
  }
  if (producerId < 0 && isTransactional(batch, 0)) return invalid('a batch of a transaction has no producer id');
  const codec = codecOf(batch, 0);
  if (codec > LAST_CODEC) {
    return { code: 'UNSUPPORTED_COMPRESSION_TYPE', what: `the batch is compressed with codec ${codec}, which is none` };
  }
  const most = config['segment.bytes'];
  if (batch.length > most) {
    return { code: 'RECORD_LIST_TOO_LARGE', what: `the batch has ${batch.length} bytes; segment.bytes is ${most}` };
  }
  if (config['message.timestamp.type'] === 'LogAppendTime') return undefined;
  return timestampFaultOf(baseTimestamp, config, now) ?? timestampFaultOf(maxTimestamp, config, now);
}

function timestampFaultOf(timestamp: number, config: TopicConfig, now: number): ProducerFault | undefined {
  // None was given.
  if (timestamp === -1) return undefined;
  const oldest = now - config['message.timestamp.before.max.ms'];
  const latest = Math.min(EXACT, now + config['message.timestamp.after.max.ms']);
  if (timestamp >= Math.max(-EXACT, oldest) && timestamp <= latest) return undefined;
  return {
    code: 'INVALID_TIMESTAMP',
    what: `a record's timestamp is ${timestamp}; it must be in [${oldest}, ${latest}]`,
  };
}

function keyFaultOf(batch: Buffer, config: TopicConfig): ProducerFault | undefined {
  if (config['cleanup.policy'] === 'delete' || codecOf(batch, 0) !== 0) return undefined;
  const records: LogRecord[] = [];
  try {
    decodeRecords(batch, 0, 0, records);
  } catch (error) {
    if (error instanceof LogError) return invalid(error.message);
    throw error;
  }
  const keyless = records.flatMap(({ key }, index) => (key === null ? [index] : []));
  if (keyless.length === 0) return undefined;
  return { ...invalid(`record ${keyless[0]} of the batch has no key, and the topic is compacted`), records: keyless };
}

function invalid(what: string): ProducerFault {
  return { code: 'INVALID_RECORD', what };
}

function corrupt(what: string): ProducerFault {
  return { code: 'CORRUPT_MESSAGE', what: `the batch is damaged: ${what}` };
}
