/**
 * What a component has done, counted exactly. Reading the clock costs more than a small bolt, so it is read only when
 * the worker goes over from one component to another (`Stopwatch`): consecutive inputs of one component share the time
 * between two readings evenly. Every input is counted, none is sampled.
 */
import type { Clock } from '../runtime/runtime.ts';
import { Histogram } from './histogram.ts';
import type { ComponentMetrics } from './running.ts';

const WINDOW = 10_000;
const SLOTS = 10;

/** Time in user code over the last ten seconds, in slots of one second. */
class Capacity {
  readonly #slots = new Float64Array(SLOTS);
  #slot = 0;
  add(now: number, ms: number): void {
    this.#turn(now);
    const at = this.#slot % SLOTS;
    this.#slots[at] = this.#slots[at]! + ms;
  }
  share(now: number, tasks: number): number {
    this.#turn(now);
    return Math.min(1, this.#slots.reduce((a, b) => a + b) / (WINDOW * tasks));
  }
  #turn(now: number): void {
    const slot = Math.floor(now / (WINDOW / SLOTS));
    for (let s = Math.max(this.#slot + 1, slot - SLOTS + 1); s <= slot; s++) this.#slots[s % SLOTS] = 0;
    this.#slot = Math.max(this.#slot, slot);
  }
}

export class StreamMetrics {
  readonly stream: string;
  emitted = 0;
  transferred = 0;
  constructor(stream: string) {
    this.stream = stream;
  }
}

/** The counters of one component; its tasks on this worker share them. */
export class Metrics {
  readonly component: string;
  readonly kind: ComponentMetrics['kind'];
  readonly tasks: number;
  readonly streams: StreamMetrics[] = [];
  executed = 0;
  acked = 0;
  failed = 0;
  errors = 0;
  ledgered = 0;
  readonly execute = new Histogram();
  /** Only what did not end with its execute: retried, asynchronous, held, batched inputs. */
  readonly process = new Histogram();
  readonly complete = new Histogram();
  readonly result = new Histogram();
  readonly capacity = new Capacity();

  constructor(component: string, kind: ComponentMetrics['kind'], tasks: number) {
    this.component = component;
    this.kind = kind;
    this.tasks = tasks;
  }

  snapshot(
    now: number,
    load: { readonly queued: number; readonly pending: number },
    endsOnReturn: boolean,
  ): ComponentMetrics {
    const process = new Histogram();
    process.add(this.process);
    if (endsOnReturn) process.add(this.execute);
    return {
      component: this.component,
      kind: this.kind,
      tasks: this.tasks,
      streams: this.streams.map(({ stream, emitted, transferred }) => ({ stream, emitted, transferred })),
      executed: this.executed,
      acked: this.acked,
      failed: this.failed,
      errors: this.errors,
      ledgered: this.ledgered,
      execute: this.execute.snapshot(),
      process: process.snapshot(),
      complete: this.complete.snapshot(),
      result: this.result.snapshot(),
      capacity: this.capacity.share(now, this.tasks),
      ...load,
    };
  }
}

/** Follows which component the worker is in. `in` before each input; `stop` when the worker goes idle or waits. */
export class Stopwatch {
  readonly #clock: Clock;
  #running: Metrics | undefined;
  #inputs = 0;
  /** The last reading of the monotonic clock, milliseconds. */
  now: number;
  readonly #ended: { metrics: Metrics; since: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.now = clock.monotonic();
  }

  in(metrics: Metrics): void {
    if (this.#running !== metrics) this.#switchTo(metrics);
    this.#inputs++;
  }

  stop(): void {
    this.#switchTo(undefined);
  }

  /** A tree that began at `since` (a reading of `now`) has ended; recorded at the next reading of the clock. */
  completed(metrics: Metrics, since: number): void {
    this.#ended.push({ metrics, since });
  }

  #switchTo(metrics: Metrics | undefined): void {
    const now = this.#clock.monotonic();
    const last = this.#running;
    if (last !== undefined && this.#inputs > 0) {
      const elapsed = now - this.now;
      last.executed += this.#inputs;
      last.execute.record(elapsed / this.#inputs, this.#inputs);
      last.capacity.add(now, elapsed);
    }
    for (const { metrics: ended, since } of this.#ended) ended.complete.record(now - since);
    this.#ended.length = 0;
    this.#running = metrics;
    this.#inputs = 0;
    this.now = now;
  }
}
