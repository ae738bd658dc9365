import type { AbortedTransaction } from './aborted-transactions.ts';
import { MAX_TIMESTAMP } from './batch-builder.ts';
import { codecOf, endOffsetOf, headerOf, isControl, isTransactional } from './record-batch.ts';
import { emptied, horizonOf, type RawRecord, rawRecords, withRecords } from './record-filter.ts';
import { markerIn } from './transaction-marker.ts';

/**
 * What compaction leaves of each batch, by Kafka's rules: of each key the latest record; a tombstone until its horizon;
 * nothing of an aborted transaction; a transaction's marker while any of its batches is left, and then until its horizon;
 * and, without its records, a producer's last batch, whose sequence numbers must survive.
 *
 * It is told of the batches in order, from the first that is left.
 */
export class LatestOffsets {
  private readonly offsets = new Map<string, number>();
  private readonly most: number;
  private bytes = 0;
  /** All records before it are in here, or do not count. */
  end = 0;

  constructor(most: number) {
    this.most = most;
  }

  get full(): boolean {
    return this.bytes >= this.most;
  }

  put(key: string, offset: number): void {
    const before = this.offsets.size;
    this.offsets.set(key, offset);
    if (this.offsets.size > before) this.bytes += key.length + ENTRY_BYTES;
  }

  isLatest(key: string, offset: number): boolean {
    return offset >= (this.offsets.get(key) ?? -1);
  }
}

/** What an entry of a map takes beside its key's bytes, roughly. */
const ENTRY_BYTES = 96;

/** Follows which transactions are going on, and whether anything of them is left. */
export class TransactionsPassed {
  /** By first offset, latest first. */
  private readonly aborted: AbortedTransaction[];
  private readonly ongoing = new Map<number, { readonly aborted: boolean; seen: boolean }>();

  constructor(aborted: readonly AbortedTransaction[]) {
    this.aborted = [...aborted].sort((a, b) => b.firstOffset - a.firstOffset);
  }

  /** Whether the batch belongs to a transaction that was aborted. */
  isAborted(batch: Buffer): boolean {
    this.beginUpTo(endOffsetOf(batch, 0));
    if (!isTransactional(batch, 0)) return false;
    const { producerId } = headerOf(batch, 0);
    const transaction = this.ongoing.get(producerId) ?? { aborted: false, seen: true };
    transaction.seen = true;
    this.ongoing.set(producerId, transaction);
    return transaction.aborted;
  }

  /** Whether nothing is left of the transaction that the control batch ends. */
  isSpent(batch: Buffer): boolean {
    this.beginUpTo(endOffsetOf(batch, 0));
    const { producerId, count } = headerOf(batch, 0);
    if (count === 0) return true;
    const marker = markerIn(batch, 0);
    if (marker === undefined) return false;
    const transaction = this.ongoing.get(producerId);
    this.ongoing.delete(producerId);
    return transaction === undefined || !transaction.seen;
  }

  private beginUpTo(end: number): void {
    for (let next = this.aborted.at(-1); next !== undefined && next.firstOffset < end; next = this.aborted.at(-1)) {
      this.aborted.pop();
      if (this.ongoing.get(next.producerId)?.aborted === true) continue;
      this.ongoing.set(next.producerId, { aborted: true, seen: false });
    }
  }
}

export interface RetentionRules {
  readonly latest: LatestOffsets;
  readonly transactions: TransactionsPassed;
  /** The last thing that an active producer wrote: a batch of records at that offset, or else a marker of that epoch. */
  readonly lastOf: (
    producerId: number,
  ) => { readonly epoch: number; readonly lastOffset: number | undefined } | undefined;
  /** The batch that ends here stays, so that nobody takes its offset for one that was never given. */
  readonly end: number;
  readonly now: number;
  readonly deleteRetention: number;
}

/** What stays of a whole batch, which stands alone in `batch`: itself, a smaller one, or nothing. */
export function retained(batch: Buffer, rules: RetentionRules): Buffer | undefined {
  return isControl(batch, 0) ? retainedMarker(batch, rules) : retainedRecords(batch, rules);
}

function retainedMarker(batch: Buffer, rules: RetentionRules): Buffer | undefined {
  const { now, deleteRetention } = rules;
  const spent = rules.transactions.isSpent(batch);
  const horizon = horizonOf(batch);
  const { count } = headerOf(batch, 0);
  if (!spent || (count > 0 && (horizon === undefined || horizon > now))) {
    if (!spent || horizon !== undefined) return batch;
    const raw = rawRecords(batch);
    return raw === undefined ? batch : withRecords(batch, raw, raw.list, horizonAfter(now, deleteRetention));
  }
  return mustStay(batch, rules) ? empty(batch) : undefined;
}

function retainedRecords(batch: Buffer, rules: RetentionRules): Buffer | undefined {
  const { latest, now, deleteRetention } = rules;
  const nothing = () => (mustStay(batch, rules) ? empty(batch) : undefined);
  if (rules.transactions.isAborted(batch)) return nothing();
  const raw = rawRecords(batch);
  if (raw === undefined) return batch;
  const horizon = horizonOf(batch);
  const stays = ({ offset, key, hasValue }: RawRecord): boolean => {
    if (offset >= latest.end) return true;
    if (key === undefined || !latest.isLatest(key, offset)) return false;
    return hasValue || horizon === undefined || horizon > now;
  };
  const kept = raw.list.filter(stays);
  if (kept.length === 0) return nothing();
  const newHorizon = horizon === undefined && kept.some(({ hasValue }) => !hasValue);
  if (kept.length === raw.list.length && !newHorizon) return batch;
  return withRecords(batch, raw, kept, newHorizon ? horizonAfter(now, deleteRetention) : undefined);
}

/** The records' timestamps are counted from it, and must stay exact. */
function horizonAfter(now: number, deleteRetention: number): number {
  return Math.min(now + deleteRetention, MAX_TIMESTAMP);
}

function empty(batch: Buffer): Buffer {
  const isEmpty = headerOf(batch, 0).count === 0 && codecOf(batch, 0) === 0;
  return isEmpty ? batch : emptied(batch);
}

function mustStay(batch: Buffer, { lastOf, end }: RetentionRules): boolean {
  const batchEnd = endOffsetOf(batch, 0);
  if (batchEnd === end) return true;
  const { producerId, producerEpoch } = headerOf(batch, 0);
  const last = producerId < 0 ? undefined : lastOf(producerId);
  if (last === undefined) return false;
  if (last.lastOffset !== undefined) return batchEnd - 1 === last.lastOffset;
  return isControl(batch, 0) && producerEpoch === last.epoch;
}
