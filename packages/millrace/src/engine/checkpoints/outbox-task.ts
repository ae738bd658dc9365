/**
 * A task of a transactional sink whose values wait for their epoch's checkpoint: it keeps them, in order, until the barrier
 * takes them along. Nothing is written here.
 */

import { shown } from '../../codec/shown.ts';
import { structured } from '../../codec/structured.ts';
import { messageOf } from '../../errors.ts';
import type { Epochs } from '../../topology/sink.ts';
import { Alignment } from '../alignment.ts';
import type { Barrier } from '../barrier.ts';
import type { Port } from '../edge.ts';
import type { Output } from '../output.ts';
import type { EngineTask, Station } from '../station.ts';

/** Values of one epoch as they are published, and as a checkpoint keeps them: encoded, an array of them. */
export interface OutboxChunk {
  readonly entries: readonly unknown[];
  /** Event times, for the latency of results. */
  readonly times: readonly number[];
  readonly bytes: Uint8Array;
}

/** Values in one chunk. */
const CHUNK = 512;

export class OutboxTask implements EngineTask, Port {
  readonly outputs: readonly Output[] = [];
  readonly eventTime = undefined;
  readonly alignment: Alignment;
  readonly idle = true;
  readonly #station: Station;
  readonly #index: number;
  readonly #prepare: ((value: unknown, time: number) => unknown) | undefined;
  /** Told how many bytes have come. */
  readonly #grown: (bytes: number) => void;
  #entries: unknown[] = [];
  #times: number[] = [];
  #chunks: OutboxChunk[] = [];

  constructor(station: Station, index: number, epochs: Epochs<never, unknown>, grown: (bytes: number) => void) {
    this.#station = station;
    this.#index = index;
    this.#prepare = epochs.prepare as ((value: unknown, time: number) => unknown) | undefined;
    this.#grown = grown;
    this.alignment = new Alignment(station, (barrier) => this.#cut(barrier));
  }

  port(): Port {
    return this;
  }
  timeReport(): undefined {}
  async open(): Promise<void> {}
  get queued(): number {
    return this.alignment.waiting;
  }
  flush(): void {}
  async close(): Promise<void> {}

  receive(value: unknown, time: number): void {
    const { worker, metrics } = this.#station;
    let entry = value;
    if (this.#prepare !== undefined) {
      worker.stopwatch.in(metrics);
      try {
        entry = this.#prepare(value, time);
      } catch (thrown) {
        return this.#refuse(value, time, thrown);
      }
    }
    metrics.ended++;
    metrics.executed++;
    this.#entries.push(entry);
    if (this.#times.push(time) === CHUNK) this.#encode();
  }

  /** The same value would be refused each time: it is not tried again. */
  #refuse(value: unknown, time: number, thrown: unknown): void {
    const { worker, metrics, component } = this.#station;
    metrics.errors++;
    metrics.failed++;
    const error = this.#station.userError(this.#index, thrown, shown(value));
    if (this.#station.stops(error)) return;
    worker.options.log(component.id, `${error.message}; given to the ledger`);
    worker.lose({ metrics, input: undefined, cause: 'error', detail: error.message, value, time }, worker.anchor);
  }

  #encode(): void {
    const entries = this.#entries;
    const times = this.#times;
    this.#entries = [];
    this.#times = [];
    let bytes: Uint8Array;
    try {
      bytes = structured.encode(entries);
    } catch (thrown) {
      const error = this.#station.userError(this.#index, thrown, `${entries.length} values: ${messageOf(thrown)}`);
      return this.#station.worker.fail(error);
    }
    this.#chunks.push({ entries, times, bytes });
    this.#grown(bytes.byteLength);
  }

  #cut(barrier: Barrier): void {
    if (this.#entries.length > 0) this.#encode();
    const outputs = this.#chunks;
    this.#chunks = [];
    barrier.passed(this.#station.id, this.#index, { outputs });
  }
}
