import type { LogRecord } from './api.ts';
import { BatchBuilder } from './batch-builder.ts';
import { decodeControlRecords, headerOf } from './record-batch.ts';

/**
 * The end of a producer's transaction in one partition: a control batch of one record, in Kafka's format. Its key is
 * version int16 and type int16 (0 aborts, 1 commits), its value version int16 and the coordinator's epoch int32.
 */
export interface Marker {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  readonly commit: boolean;
}

const TRANSACTIONAL_CONTROL = 0x30;
const ABORT = 0;
const COMMIT = 1;

export function markerBatch(marker: Marker, now: number): Buffer {
  const key = Buffer.alloc(4);
  key.writeInt16BE(marker.commit ? COMMIT : ABORT, 2);
  const value = Buffer.alloc(6);
  value.writeInt32BE(marker.coordinatorEpoch, 2);
  const builder = new BatchBuilder();
  builder.add(now, key, value, []);
  const { producerId, producerEpoch } = marker;
  return builder.finish({ producerId, producerEpoch, baseSequence: -1, attributes: TRANSACTIONAL_CONTROL });
}

/** The marker that a whole control batch holds; nothing when it is another kind, or cleaned away. */
export function markerIn(bytes: Buffer, at: number): Marker | undefined {
  const { producerId, producerEpoch } = headerOf(bytes, at);
  const records: LogRecord[] = [];
  decodeControlRecords(bytes, at, records);
  const [record] = records;
  if (record === undefined || record.key === null || record.value === null) return undefined;
  const key = viewOf(record.key);
  const value = viewOf(record.value);
  if (key.byteLength < 4 || value.byteLength < 6) return undefined;
  const type = key.getInt16(2);
  if (type !== ABORT && type !== COMMIT) return undefined;
  return { producerId, producerEpoch, coordinatorEpoch: value.getInt32(2), commit: type === COMMIT };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
