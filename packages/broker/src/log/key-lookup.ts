import type { LogRecord } from './api.ts';
import type { Partition } from './partition.ts';
import { decodeRecords, endOffsetOf, isControl, isTransactional, producerOf } from './record-batch.ts';
import { markerIn } from './transaction-marker.ts';

const CHUNK = 1024 * 1024;

interface Written {
  readonly offset: number;
  readonly value: Uint8Array | null;
}

/**
 * What a key is worth by all that is durable: the value of the last record of it that is committed, null for a tombstone,
 * undefined for nothing. A transaction that is still open says nothing, and hides nothing that others committed behind it:
 * so unlike a reader of committed records it has not to wait for its end.
 *
 * Compaction takes a commit marker only when no record of its transaction is left, so what is left has its marker.
 */
export function committedValue(partition: Partition, key: Uint8Array): Uint8Array | null | undefined {
  let found: Written | undefined;
  const open = new Map<number, Written>();
  const commit = (written: Written) => {
    if (found === undefined || written.offset > found.offset) found = written;
  };
  for (let offset = partition.start; offset < partition.highWatermark; ) {
    const from = offset;
    partition.eachBatch(from, CHUNK, (bytes, at) => {
      offset = endOffsetOf(bytes, at);
      const producerId = producerOf(bytes, at)?.producerId;
      if (isControl(bytes, at)) {
        if (producerId === undefined) return;
        const decided = open.get(producerId);
        if (decided !== undefined && markerIn(bytes, at)?.commit === true) commit(decided);
        open.delete(producerId);
        return;
      }
      const written = lastOf(bytes, at, from, key);
      if (written === undefined) return;
      if (producerId !== undefined && isTransactional(bytes, at)) open.set(producerId, written);
      else commit(written);
    });
    // Compaction left no batch from here on.
    if (offset === from) break;
  }
  return found?.value;
}

/** A copy: the bytes are views of the chunk that was read. */
function lastOf(bytes: Buffer, at: number, from: number, key: Uint8Array): Written | undefined {
  const records: LogRecord[] = [];
  decodeRecords(bytes, at, from, records);
  const last = records.findLast((record) => record.key !== null && Buffer.compare(record.key, key) === 0);
  return last && { offset: last.offset, value: last.value?.slice() ?? null };
}
