/**
 * What a component has done, counted exactly. Reading the clock costs more than a small bolt, so it is read only when
 * the worker goes over from one component to another (`Stopwatch`): consecutive inputs of one component share the time
 * between two readings evenly. Every input is counted, none is sampled.
 */
import type { Clock } from '../runtime/runtime.ts';
import { Histogram } from './histogram.ts';
import type { ComponentMetrics } from './running.ts';

/** Capacity looks back over this many whole seconds. */
const SECONDS = 10;

/** Time in user code over the last ten seconds, from the running total at the end of each. */
class Capacity {
  /** The total at the end of second s, at s mod (SECONDS + 1). */
  readonly #totals = new Float64Array(SECONDS + 1);
  #second: number | undefined;

  /** `busy` is the total so far; to be called at least once in every second with work. */
  note(now: number, busy: number): void {
    const second = Math.floor(now / 1000);
    if (second === this.#second) return;
    const from = Math.max((this.#second ?? second - 1) + 1, second - SECONDS);
    for (let s = from; s <= second; s++) this.#totals[s % (SECONDS + 1)] = busy;
    this.#second = second;
  }

  share(now: number, busy: number, tasks: number): number {
    this.note(now, busy);
    const oldest = this.#totals[(this.#second! + 1) % (SECONDS + 1)]!;
    return Math.min(1, (busy - oldest) / (SECONDS * 1000 * tasks));
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
  /** Inputs that user code has returned from or thrown at; `executed` follows it when the clock is read. */
  ended = 0;
  executed = 0;
  /** Milliseconds in user code so far. */
  busy = 0;
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
      capacity: this.capacity.share(now, this.busy, this.tasks),
      ...load,
    };
  }
}

/**
 * Follows which component the worker is in. `in` before each input; `stop` when the worker goes idle or waits. How many
 * inputs share a reading is told by `ended`, which each task counts up after each input, well or badly ended.
 */
export class Stopwatch {
  readonly #clock: Clock;
  #running: Metrics | undefined;
  /** The last reading of the monotonic clock, milliseconds. */
  now: number;
  /** Trees that have ended since the last reading: whose they are, and when they began. */
  readonly #completed: Metrics[] = [];
  readonly #since: number[] = [];
  #ends = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.now = clock.monotonic();
  }

  in(metrics: Metrics): void {
    if (this.#running !== metrics) this.#switchTo(metrics);
  }

  stop(): void {
    this.#switchTo(undefined);
  }

  /** A tree that began at `since` (a reading of `now`) has ended; recorded at the next reading of the clock. */
  completed(metrics: Metrics, since: number): void {
    this.#completed[this.#ends] = metrics;
    this.#since[this.#ends++] = since;
  }

  #switchTo(metrics: Metrics | undefined): void {
    const now = this.#clock.monotonic();
    const last = this.#running;
    if (last !== undefined) {
      const elapsed = now - this.now;
      const inputs = last.ended - last.executed;
      last.busy += elapsed;
      if (inputs > 0) {
        last.executed = last.ended;
        last.execute.record(elapsed / inputs, inputs);
      }
      last.capacity.note(now, last.busy);
    }
    for (let i = 0; i < this.#ends; i++) this.#completed[i]!.complete.record(now - this.#since[i]!);
    this.#ends = 0;
    this.#running = metrics;
    this.now = now;
  }
}
