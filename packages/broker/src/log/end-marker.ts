import { BatchBuilder } from './batch-builder.ts';
import type { TransactionProducer } from './pending-entries.ts';
import { HEADER_BYTES } from './record-batch.ts';

/**
 * The marker that ends a producer's transaction in a partition: a control batch of one record, whose key is (version
 * int16, type int16: 0 abort, 1 commit) and whose value is (version int16, coordinator epoch int32).
 */
const TRANSACTIONAL_CONTROL = 0x30;
const COMMIT = 1;
const ABORT = 0;
/** In the batch: the record's length, attributes, two deltas and its key's length, a byte each, then the key's version. */
const TYPE_AT = HEADER_BYTES + 5 + 2;

export function endMarker({ producerId, producerEpoch }: TransactionProducer, commit: boolean, now: number): Buffer {
  const key = Buffer.alloc(4);
  key.writeInt16BE(commit ? COMMIT : ABORT, 2);
  const builder = new BatchBuilder();
  builder.add(now, key, Buffer.alloc(6), []);
  return builder.finish({ producerId, producerEpoch, baseSequence: -1, attributes: TRANSACTIONAL_CONTROL });
}

/** Needs a control batch that ends a transaction. */
export function isCommit(bytes: Buffer, at: number): boolean {
  return bytes.readInt16BE(at + TYPE_AT) === COMMIT;
}
