/**
 * A task of a sink: collects a batch, writes one batch at a time, and only then lets go of the trees in it. While a
 * write is under way the next batch fills; when that is full as well, the sources wait. A write that fails is tried
 * again whole, by the sink's policy.
 */
import { shown } from '../codec/shown.ts';
import { milliseconds } from '../duration.ts';
import type { Sink, SinkWriter } from '../topology/sink.ts';
import { Alignment } from './alignment.ts';
import type { Barrier } from './barrier.ts';
import type { Port } from './edge.ts';
import { Fifo } from './fifo.ts';
import { Room } from './gate.ts';
import type { Output } from './output.ts';
import type { EngineTask, Station } from './station.ts';
import type { Anchor } from './tree.ts';

class Batch {
  readonly values: unknown[] = [];
  readonly times: number[] = [];
  readonly anchors: (Anchor | undefined)[] = [];
  /** Monotonic milliseconds when its first value came. */
  since = 0;
}

export class SinkTask implements EngineTask, Port {
  readonly outputs: readonly Output[] = [];
  readonly eventTime = undefined;
  readonly #station: Station;
  readonly #sink: Sink<never>;
  readonly #index: number;
  readonly #firstId: number;
  readonly #every: number;
  readonly #room: Room;
  #writer: SinkWriter<unknown> | undefined;
  #filling = new Batch();
  #writing: Batch | undefined;
  #cancelTimer: (() => void) | undefined;
  readonly alignment: Alignment;
  /** Values that have come, and of them those that have been written or given up. */
  #came = 0;
  #ended = 0;
  /** Barriers, and how many values came before each. */
  readonly #barriers = new Fifo<{ readonly barrier: Barrier; readonly after: number }>();
  /** The batch that fills has been old enough for a while: it is written as soon as the last write has ended. */
  #overdue = false;

  constructor(station: Station, index: number, firstId: number, sink: Sink<never>) {
    this.#station = station;
    this.#sink = sink;
    this.#index = index;
    this.#firstId = firstId;
    this.#every = milliseconds(sink.batch.every);
    this.#room = new Room(station.gate, 2 * sink.batch.size);
    this.alignment = new Alignment(station, (barrier) => this.#cut(barrier));
  }

  port(): Port {
    return this;
  }
  timeReport(): undefined {}
  async open(): Promise<void> {
    const opened = this.#sink.open(this.#station.taskContext(this.#index, this.#firstId));
    this.#writer = (opened instanceof Promise ? await opened : opened) as SinkWriter<unknown>;
  }
  /** A batch that only waits for its time or size is no work under way; `flush` writes it. */
  get idle(): boolean {
    return this.#writing === undefined;
  }
  get queued(): number {
    return this.#room.used + this.alignment.waiting;
  }
  flush(): void {
    if (this.#writing === undefined && this.#filling.values.length > 0) this.#write();
  }
  async close(): Promise<void> {
    this.#cancelTimer?.();
    await this.#writer?.close?.();
  }

  receive(value: unknown, time: number): void {
    const { worker } = this.#station;
    worker.anchor?.hold();
    this.#room.take();
    this.#came++;
    const batch = this.#filling;
    batch.anchors.push(worker.anchor);
    batch.values.push(value);
    if (batch.times.push(time) === 1) this.#startTimer(batch);
    if (batch.values.length >= this.#sink.batch.size && this.#writing === undefined) this.#write();
  }

  /** What came before it is written as soon as may be; then it has gone by. */
  #cut(barrier: Barrier): void {
    this.#barriers.push({ barrier, after: this.#came });
    if (this.#writing !== undefined) this.#overdue = this.#filling.values.length > 0;
    else this.flush();
    this.#tellBarriers();
  }

  #tellBarriers(): void {
    for (let first = this.#barriers.first; first && first.after <= this.#ended; first = this.#barriers.first) {
      this.#barriers.shift();
      first.barrier.passed(this.#station.id, this.#index, {});
    }
  }

  #startTimer(batch: Batch): void {
    const { clock, timers } = this.#station.worker.runtime;
    batch.since = clock.monotonic();
    this.#cancelTimer?.();
    this.#cancelTimer = timers.after(this.#every, () => {
      this.#overdue = true;
      if (!this.#station.worker.dead) this.flush();
    });
  }

  #write(): void {
    this.#cancelTimer?.();
    this.#overdue = false;
    this.#writing = this.#filling;
    this.#filling = new Batch();
    this.#try(this.#writing, 0);
  }

  /** A synchronous write ends here and now, an asynchronous one when its promise does. */
  #try(batch: Batch, attempt: number): void {
    const { worker, metrics } = this.#station;
    const { clock } = worker.runtime;
    worker.stopwatch.stop();
    const started = clock.monotonic();
    const timed = () => {
      const elapsed = clock.monotonic() - started;
      metrics.ended += batch.values.length;
      metrics.executed = metrics.ended;
      metrics.execute.record(elapsed / batch.values.length, batch.values.length);
      metrics.busy += elapsed;
      metrics.capacity.note(clock.monotonic(), metrics.busy);
    };
    let writing: void | Promise<void>;
    try {
      writing = this.#writer!.write(batch.values, batch.times);
    } catch (thrown) {
      return this.#failed(batch, attempt + 1, thrown);
    }
    if (writing === undefined) {
      timed();
      return this.#written(batch);
    }
    writing.then(
      () => {
        timed();
        if (!worker.dead) this.#written(batch);
      },
      (thrown: unknown) => {
        if (!worker.dead) this.#failed(batch, attempt + 1, thrown);
      },
    );
  }

  #failed(batch: Batch, attempt: number, thrown: unknown): void {
    const { worker, metrics, component } = this.#station;
    metrics.errors++;
    for (const anchor of batch.anchors) anchor?.touch();
    const text = `${batch.values.length} values, first ${shown(batch.values[0])}`;
    const error = this.#station.userError(this.#index, thrown, text);
    if (this.#station.retries(error.message, attempt, `retry ${attempt}`, () => this.#try(batch, attempt))) return;
    metrics.failed += batch.values.length;
    if (this.#station.stops(error)) return;
    worker.options.log(component.id, `${error.message}; the batch is given to the ledger after ${attempt} tries`);
    batch.values.forEach((value, i) => {
      const time = batch.times[i]!;
      worker.lose({ metrics, input: undefined, cause: 'error', detail: error.message, value, time }, batch.anchors[i]);
    });
    this.#done(batch);
  }

  #written(batch: Batch): void {
    const { metrics, worker } = this.#station;
    const wall = worker.runtime.clock.now();
    const now = worker.runtime.clock.monotonic();
    metrics.acked += batch.values.length;
    metrics.process.record(now - batch.since, batch.values.length);
    for (const time of batch.times) metrics.result.record(wall - time);
    this.#done(batch);
  }

  #done(batch: Batch): void {
    const { worker } = this.#station;
    this.#writing = undefined;
    this.#ended += batch.values.length;
    for (const anchor of batch.anchors) {
      this.#room.give();
      anchor?.release();
    }
    const { values } = this.#filling;
    if (this.#overdue || values.length >= this.#sink.batch.size) this.#write();
    this.#tellBarriers();
    worker.progress();
  }
}
