import type { LogRecord } from './api.ts';
import type { Partition } from './partition.ts';
import { decodeRecords, endOffsetOf, isControl, isTransactional, producerOf } from './record-batch.ts';
import { markerIn } from './transaction-marker.ts';

const CHUNK = 1024 * 1024;

/**
 * What a key is worth by all that is durable: the value of the last record of it that is committed, null for a tombstone,
 * undefined for nothing. A transaction that is still open says nothing, and hides nothing that others committed behind it:
 * so unlike a reader of committed records it has not to wait for its end.
 *
 * Compaction may have taken a commit marker only with every record before it of its transaction; so a record that is left
 * has its marker left.
 */
export function committedValue(partition: Partition, key: Uint8Array): Uint8Array | null | undefined {
  let found: Uint8Array | null | undefined;
  const open = new Map<number, Uint8Array | null>();
  for (let offset = partition.start; offset < partition.highWatermark; ) {
    const from = offset;
    partition.eachBatch(from, CHUNK, (bytes, at) => {
      offset = endOffsetOf(bytes, at);
      const producerId = producerOf(bytes, at)?.producerId;
      if (isControl(bytes, at)) {
        if (producerId === undefined) return;
        if (markerIn(bytes, at)?.commit === true && open.has(producerId)) found = open.get(producerId);
        open.delete(producerId);
        return;
      }
      const value = lastOf(bytes, at, from, key);
      if (value === undefined) return;
      if (producerId !== undefined && isTransactional(bytes, at)) open.set(producerId, value);
      else found = value;
    });
    // Compaction left no batch from here on.
    if (offset === from) break;
  }
  return found;
}

/** A copy: the bytes are views of the chunk that was read. */
function lastOf(bytes: Buffer, at: number, from: number, key: Uint8Array): Uint8Array | null | undefined {
  const records: LogRecord[] = [];
  decodeRecords(bytes, at, from, records);
  const last = records.findLast((record) => record.key !== null && Buffer.compare(record.key, key) === 0);
  return last?.value?.slice() ?? last?.value;
}
