/**
 * The records of fetched batches that a consumer may see: those of committed transactions and of none, never a control
 * record, and none before the offset asked for, which may lie inside a batch.
 */
import type { RecordsBatch } from '@platformatic/kafka';
import type { TopicHeader, TopicRecord } from '../topic-log.ts';
import type { FetchedPartition } from './wire.ts';

const MAGIC = 2;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const ABORT = 0;
const COMMIT = 1;
/** What a decoded record costs besides its bytes, about. */
const RECORD_OVERHEAD = 100;

export interface Chunk {
  readonly records: readonly TopicRecord[];
  /** The offset after all that was fetched, visible or not. */
  readonly next: number;
  /** Memory that the records hold, about. */
  readonly bytes: number;
}

/** Throws where the batches are not what they say. */
export function visible({ records: batches, abortedTransactions }: FetchedPartition, from: number): Chunk {
  const records: TopicRecord[] = [];
  const aborted = abortedProducers(abortedTransactions ?? []);
  let bytes = 0;
  let next = from;
  for (const batch of batches ?? []) {
    if (batch.magic !== MAGIC) throw new Error(`a batch has message format ${batch.magic}, not ${MAGIC}`);
    const base = Number(batch.firstOffset);
    next = Math.max(next, base + batch.lastOffsetDelta + 1);
    if (aborted.hides(batch)) continue;
    bytes += addRecords(batch, base, from, records);
  }
  return { records, next, bytes };
}

function addRecords(batch: RecordsBatch, base: number, from: number, to: TopicRecord[]): number {
  const appended = (batch.attributes & LOG_APPEND_TIME) !== 0;
  const time = Number(appended ? batch.maxTimestamp : batch.firstTimestamp);
  let bytes = 0;
  for (const { offsetDelta, timestampDelta, key, value, headers, length } of batch.records) {
    const offset = base + offsetDelta;
    if (offset < from) continue;
    const timestamp = appended ? time : time + Number(timestampDelta);
    to.push({ offset, timestamp, key, value, headers: headers.length === 0 ? NONE : headers.map(headerOf) });
    bytes += length + RECORD_OVERHEAD;
  }
  return bytes;
}

const NONE: readonly TopicHeader[] = [];

function headerOf([key, value]: [Buffer | null, Buffer | null]): TopicHeader {
  return { key: key?.toString() ?? '', value };
}

/**
 * Whose batches to leave out, as the batches go by: an aborted transaction of a producer reaches from the offset named
 * in the answer to the producer's next abort marker.
 */
function abortedProducers(transactions: readonly { producerId: bigint; firstOffset: bigint }[]) {
  const ahead = [...transactions].sort((a, b) => Number(a.firstOffset - b.firstOffset));
  const open = new Set<bigint>();
  return {
    hides(batch: RecordsBatch): boolean {
      const last = batch.firstOffset + BigInt(batch.lastOffsetDelta);
      while (ahead.length > 0 && ahead[0]!.firstOffset <= last) open.add(ahead.shift()!.producerId);
      if ((batch.attributes & CONTROL) !== 0) {
        if (endOf(batch) === ABORT) open.delete(batch.producerId);
        return true;
      }
      return (batch.attributes & TRANSACTIONAL) !== 0 && open.has(batch.producerId);
    },
  };
}

interface Written {
  readonly offset: bigint;
  readonly value: Buffer | null;
}

/**
 * What a key is worth, told batch by batch from a read that shows all that there is: the value of its last record that is
 * committed. Unlike a reader of committed records it has not to wait for a transaction that somebody else has open.
 */
export class CommittedValue {
  readonly #key: Uint8Array;
  readonly #open = new Map<bigint, Written>();
  #found: Written | undefined;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  get value(): Buffer | null | undefined {
    return this.#found?.value;
  }

  follow(batch: RecordsBatch): void {
    const { producerId, attributes } = batch;
    if ((attributes & CONTROL) !== 0) {
      const decided = this.#open.get(producerId);
      if (decided && endOf(batch) === COMMIT) this.#commit(decided);
      this.#open.delete(producerId);
      return;
    }
    const last = batch.records.findLast(({ key }) => key !== null && Buffer.compare(key, this.#key) === 0);
    if (!last) return;
    const written = { offset: batch.firstOffset + BigInt(last.offsetDelta), value: last.value };
    if ((attributes & TRANSACTIONAL) !== 0) this.#open.set(producerId, written);
    else this.#commit(written);
  }

  #commit(written: Written): void {
    if (!this.#found || written.offset > this.#found.offset) this.#found = written;
  }
}

/** How a control batch ends its transaction: its record's key is its version and its type, two bytes each. */
function endOf(batch: RecordsBatch): number | undefined {
  const key = batch.records[0]?.key;
  return key && key.length >= 4 ? key.readInt16BE(2) : undefined;
}
