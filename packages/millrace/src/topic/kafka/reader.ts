/**
 * One partition as it is read: what has been fetched of it and not yet been taken, and whether more may be asked for.
 * It asks nobody: fetcher.ts looks at `wants`, and hands over what came.
 */
import type { PartitionReader, Taken } from '../topic-log.ts';
import type { Chunk } from './records.ts';

/** Bytes of records that wait to be taken; one batch may go beyond it, since less than one cannot be fetched. */
export const READ_AHEAD = 2 * 1024 * 1024;
/** With half of it waiting the next half is asked for. */
const REFILL_AT = READ_AHEAD / 2;

export interface Asked {
  readonly reader: FetchingReader;
  readonly offset: number;
  /** An answer to what was asked before a seek is nobody's. */
  readonly generation: number;
}

interface Surroundings {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly arrived: () => void;
  /** It may want to be asked for now. */
  readonly wake: () => void;
  readonly onClose: (reader: FetchingReader) => void;
}

type OutOfRange = NonNullable<Taken['outOfRange']>;

export class FetchingReader implements PartitionReader {
  readonly topic: string;
  readonly partition: number;
  /** Failures in a row, for the pause after the next. */
  failures = 0;
  /** While it is fetched, or waits before it may be again. */
  busy = false;
  readonly #around: Surroundings;
  /** The offset of the next record to take. */
  #at: number;
  /** The offset to fetch next. */
  #ahead: number;
  #chunks: Chunk[] = [];
  #bytes = 0;
  #generation = 0;
  #topicId: string | undefined;
  #paused = false;
  #closed = false;
  #failure: Error | undefined;
  #outOfRange: OutOfRange | undefined;

  constructor(around: Surroundings) {
    this.topic = around.topic;
    this.partition = around.partition;
    this.#around = around;
    this.#at = around.from;
    this.#ahead = around.from;
  }

  /** Bytes that wait to be taken. */
  get waiting(): number {
    return this.#bytes;
  }

  /** Whether this still is the topic that it began with: one that was deleted and made again has other records. */
  isOf(topicId: string): boolean {
    this.#topicId ??= topicId;
    return this.#topicId === topicId;
  }

  wants(): boolean {
    const stopped = this.#closed || this.#paused || this.#failure !== undefined || this.#outOfRange !== undefined;
    return !this.busy && !stopped && this.#bytes < REFILL_AT;
  }

  asked(): Asked {
    this.busy = true;
    return { reader: this, offset: this.#ahead, generation: this.#generation };
  }

  /** False: nobody waits for this answer any more. */
  awaits({ generation }: Asked): boolean {
    return !this.#closed && generation === this.#generation;
  }

  received(chunk: Chunk): void {
    if (chunk.next === this.#ahead) return;
    this.#ahead = chunk.next;
    // What nobody may see moves the position on, and is no news.
    const last = this.#chunks.at(-1);
    if (chunk.records.length === 0 && last) this.#chunks[this.#chunks.length - 1] = { ...last, next: chunk.next };
    else if (chunk.records.length === 0) this.#at = chunk.next;
    else {
      this.#chunks.push(chunk);
      this.#bytes += chunk.bytes;
      this.#around.arrived();
    }
  }

  failed(error: Error): void {
    this.#failure = error;
    this.#around.arrived();
  }

  missed(range: OutOfRange): void {
    this.#outOfRange = range;
    this.#around.arrived();
  }

  take(): Taken {
    // What was read before it failed is still good.
    const chunk = this.#chunks.shift();
    if (chunk) {
      this.#bytes -= chunk.bytes;
      this.#at = chunk.next;
      this.#around.wake();
      return { records: chunk.records, next: chunk.next };
    }
    if (this.#failure) throw this.#failure;
    if (this.#outOfRange) return { outOfRange: this.#outOfRange };
    return { records: [], next: this.#at };
  }

  seek(offset: number): void {
    this.#generation++;
    this.#chunks = [];
    this.#bytes = 0;
    this.#at = offset;
    this.#ahead = offset;
    this.#outOfRange = undefined;
    this.#around.wake();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#around.wake();
  }

  close(): void {
    this.#closed = true;
    this.#chunks = [];
    this.#around.onClose(this);
  }
}
