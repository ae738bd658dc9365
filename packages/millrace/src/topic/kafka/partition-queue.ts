/**
 * What waits to be written to one partition, cut into batches. One batch is under way at a time and stays the first
 * until it is settled, so records keep their order; its sequence numbers let the broker tell a repetition from news.
 */
import { MillraceError } from '../../errors.ts';
import type { NewRecord } from '../topic-log.ts';
import type { Identity } from './identity.ts';

/** Of the records of one batch, unless a single record is larger. */
const BATCH_BYTES = 512 * 1024;
/**
 * The client library (2.12.1) writes timestamps as differences to the batch's first, and writes them wrongly from here
 * on, both ways: some 24 days.
 */
const MOST_TIME_APART = 2 ** 31;
const MOST_SEQUENCES = 2 ** 31;
/** What a record costs beside its key, value and headers, at most. */
const RECORD_OVERHEAD = 40;

/** One call of `produce`: ends when all of its records have been settled, with the first failure if there was one. */
export class Call {
  readonly done: Promise<void>;
  #left: number;
  #failure: Error | undefined;
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;

  constructor(records: number) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.done = promise;
    this.#left = records;
    this.#resolve = resolve;
    this.#reject = reject;
    if (records === 0) resolve();
  }

  settled(failure?: Error): void {
    this.#failure ??= failure;
    if (--this.#left > 0) return;
    if (this.#failure) this.#reject(this.#failure);
    else this.#resolve();
  }
}

interface Entry {
  readonly record: NewRecord;
  readonly call: Call;
  readonly bytes: number;
}

export class PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  /** The first records of those that wait. */
  batch: readonly NewRecord[] = [];
  batchBytes = 0;
  /** Under way, or resting before it is tried again. */
  busy = false;
  failures = 0;
  /** When the first of the failures in a row was, by the monotonic clock. */
  failingSince: number | undefined;
  /** Whose sequence this is; undefined: none was begun. */
  identity: Identity | undefined;
  /** Times that the identity was lost with this batch. */
  lostIdentity = 0;
  sequence = 0;
  #entries: Entry[] = [];
  #most = Number.POSITIVE_INFINITY;

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  add(record: NewRecord, call: Call): void {
    this.#entries.push({ record, call, bytes: sizeOf(record) });
  }

  /** Whether there is a batch to send, which is then in `batch`. The same one until it is settled. */
  ready(): boolean {
    if (this.busy) return false;
    if (this.batch.length === 0) this.#cut();
    return this.batch.length > 0;
  }

  written(): void {
    this.#most *= 2;
    this.sequence = (this.sequence + this.batch.length) % MOST_SEQUENCES;
    this.#settle();
  }

  /** Given up: nothing of it is in the log. */
  refused(error: Error): void {
    this.#settle(error);
  }

  /** Given up, and nobody knows whether it is in the log. */
  lost(error: Error): void {
    this.forgetIdentity();
    this.#settle(error);
  }

  forgetIdentity(): void {
    this.identity = undefined;
    this.sequence = 0;
  }

  /** The batch is larger than the topic takes; false when it is a single record. */
  split(): boolean {
    if (this.batch.length <= 1) return false;
    this.#most = Math.ceil(this.batch.length / 2);
    this.batch = [];
    return true;
  }

  /** The log is closed: nothing more is tried. */
  abandon(error: Error): void {
    for (const { call } of this.#entries.splice(0)) call.settled(error);
    this.batch = [];
  }

  #cut(): void {
    let end = 0;
    let bytes = 0;
    const start = this.#entries[0]?.record.timestamp ?? 0;
    for (const entry of this.#entries) {
      if (end >= this.#most || (end > 0 && bytes + entry.bytes > BATCH_BYTES)) break;
      if (Math.abs(entry.record.timestamp - start) >= MOST_TIME_APART) break;
      bytes += entry.bytes;
      end++;
    }
    this.batch = this.#entries.slice(0, end).map(({ record }) => record);
    this.batchBytes = bytes;
  }

  #settle(failure?: Error): void {
    const settled = this.#entries.splice(0, this.batch.length);
    this.batch = [];
    this.failures = 0;
    this.failingSince = undefined;
    this.lostIdentity = 0;
    for (const { call } of settled) call.settled(failure);
  }
}

function sizeOf({ key, value, headers = [] }: NewRecord): number {
  let bytes = RECORD_OVERHEAD + (key?.byteLength ?? 0) + (value?.byteLength ?? 0);
  for (const header of headers) bytes += header.key.length * 3 + (header.value?.byteLength ?? 0) + 10;
  return bytes;
}

export function tooLarge(queue: PartitionQueue, why: string): MillraceError {
  const what = `a record of about ${queue.batchBytes} bytes for topic '${queue.topic}' partition ${queue.partition}`;
  return new MillraceError('MR_BROKER_REFUSED', [`to take ${what}`, 'MESSAGE_TOO_LARGE', why]);
}
