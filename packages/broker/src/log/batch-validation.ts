import { LogError } from '../errors.ts';
import type { TopicConfig } from './api.ts';
import type { ProducerFault } from './producer-state.ts';
import {
  baseOffsetOf,
  claimedSize,
  codecOf,
  faultOf,
  HEADER_BYTES,
  hasAppendTime,
  headerOf,
  isControl,
  isTransactional,
  magicOf,
  maxTimestampOf,
  setMaxTimestamp,
  stampAppendTime,
} from './record-batch.ts';
import { type RecordsSeen, recordsSeen } from './record-check.ts';
import { compacts } from './topic-config.ts';

/**
 * What a batch that came over the wire must be before a byte of it is written, with Kafka's error codes: whole, one, its
 * checksum right, its header possible, and its records what the header says, whatever the codec (`record-check.ts`). So
 * whatever stands in the log can be read: a batch that cannot would end every reader of its partition for good.
 *
 * Records keep their bytes. What the header says of them as a whole, the greatest timestamp, is set right where it is not.
 */
const LAST_CODEC = 4;
const EXACT = Number.MAX_SAFE_INTEGER;

/** Throws what is wrong with it; else it is ready to be appended. `name` says in messages where. */
export function expectFit(batch: Buffer, config: TopicConfig, now: number, name: string): void {
  const stamped = config['message.timestamp.type'] === 'LogAppendTime';
  const fault = frameFaultOf(batch, config) ?? headerFaultOf(batch, config);
  if (fault !== undefined) throw refusal(name, fault);
  const oldest = Math.max(-EXACT, now - config['message.timestamp.before.max.ms']);
  const latest = Math.min(EXACT, now + config['message.timestamp.after.max.ms']);
  const seen = seenIn(batch, oldest, latest, name);
  if (compacts(config) && seen.keyless.length > 0) {
    const [first] = seen.keyless;
    const what = `record ${first} of the batch has no key, and the topic is compacted`;
    throw refusal(name, { ...invalid(what), records: seen.keyless });
  }
  if (stamped) return stampAppendTime(batch, now);
  if (seen.untimely.length > 0) {
    const what = `record ${seen.untimely[0]} of the batch has a timestamp that is not in [${oldest}, ${latest}]`;
    throw refusal(name, { ...untimely(what), records: seen.untimely });
  }
  if (maxTimestampOf(batch, 0) !== seen.maxTimestamp) setMaxTimestamp(batch, seen.maxTimestamp);
}

export function refusal(name: string, { code, what, records }: ProducerFault): LogError {
  return new LogError(code, `${name}: ${what}`, { records });
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

function headerFaultOf(batch: Buffer, config: TopicConfig): ProducerFault | undefined {
  const { count, lastOffsetDelta, producerId, producerEpoch, baseSequence, baseTimestamp } = headerOf(batch, 0);
  if (baseOffsetOf(batch, 0) !== 0) return invalid(`the batch's base offset is ${baseOffsetOf(batch, 0)} and not 0`);
  if (count === 0) return invalid('the batch has no records');
  if (count !== lastOffsetDelta + 1)
    return invalid(`the batch has ${count} records over ${lastOffsetDelta + 1} offsets`);
  if (isControl(batch, 0)) return invalid('clients do not write control batches');
  if (producerId > EXACT || producerId < -1) return invalid(`the batch's producer id is ${producerId}`);
  if (producerId >= 0 && producerEpoch < 0) {
    return invalid(`the batch of producer ${producerId} has the epoch ${producerEpoch}`);
  }
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
  if (hasAppendTime(batch, 0)) return untimely("the batch says LogAppendTime, which is the broker's to say");
  return Math.abs(baseTimestamp) <= EXACT ? undefined : untimely(`the batch's first timestamp is ${baseTimestamp}`);
}

function seenIn(batch: Buffer, oldest: number, latest: number, name: string): RecordsSeen {
  try {
    return recordsSeen(batch, oldest, latest);
  } catch (error) {
    // Its bytes arrived as they were sent: to send them again would not help, as CORRUPT_MESSAGE says.
    if (error instanceof LogError) throw refusal(name, invalid(error.message));
    throw error;
  }
}

function invalid(what: string): ProducerFault {
  return { code: 'INVALID_RECORD', what };
}

function untimely(what: string): ProducerFault {
  return { code: 'INVALID_TIMESTAMP', what };
}

function corrupt(what: string): ProducerFault {
  return { code: 'CORRUPT_MESSAGE', what: `the batch is damaged: ${what}` };
}
