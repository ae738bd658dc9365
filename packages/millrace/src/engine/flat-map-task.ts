/**
 * A task of `flatMap`. An array is emitted whole when the call returns. Any other iterable is pulled: each value is
 * delivered before the next is made, and while a queue downstream is full, or others need the thread, it waits, and the
 * inputs behind it wait in order. If it throws half-way, the retry runs it again and skips the values already given.
 */
import type { BoltCode } from '../topology/bolt.ts';
import type { Key } from '../topology/key.ts';
import { Alignment } from './alignment.ts';
import type { Barrier } from './barrier.ts';
import { Behind } from './behind.ts';
import type { Port } from './edge.ts';
import { TimeMerge } from './event-time.ts';
import type { Wait } from './explanation.ts';
import type { Output } from './output.ts';
import type { Ran, Waiting } from './retrying.ts';
import { Retrying } from './retrying.ts';
import type { EngineTask, Station, TaskTime } from './station.ts';

/** Values pulled between two looks at the clock, and how long (ms) a generator may keep the thread. */
const PULLS = 128;
const SLICE = 2;

type FlatMapCode = Extract<BoltCode, { readonly kind: 'flatMap' }>;
type Each = (value: unknown, time: number) => Iterable<unknown>;

interface Arrived {
  readonly port: FlatMapPort;
  readonly value: unknown;
  readonly time: number;
  readonly key: Key | undefined;
}

/** A generator under way: what is left of it, and the input that it came from once it has waited or failed. */
interface Pull {
  readonly iterator: Iterator<unknown>;
  readonly port: FlatMapPort;
  readonly value: unknown;
  readonly time: number;
  readonly key: Key | undefined;
  given: number;
  /** Values to leave out: they were given before the last failure. */
  skip: number;
  waiting: Waiting<FlatMapPort> | undefined;
}

export class FlatMapTask implements EngineTask {
  readonly outputs: readonly Output[];
  readonly #station: Station;
  readonly #index: number;
  readonly #output: Output;
  readonly #each: Each;
  readonly #retrying: Retrying<FlatMapPort>;
  readonly #behind: Behind<FlatMapPort>;
  readonly eventTime = new TimeMerge((watermark, idle) => this.#behind.advance(watermark, idle));
  readonly alignment: Alignment;
  #suspended = false;
  /** Given on last. */
  #watermark = -Infinity;

  constructor(station: Station, index: number, code: FlatMapCode) {
    this.#station = station;
    this.outputs = station.makeOutputs();
    this.#output = this.outputs[0]!;
    this.#each = code.each as Each;
    this.#behind = new Behind(station, this);
    this.alignment = new Alignment(station, (barrier) => this.#behind.barrier(barrier));
    this.#index = index;
    this.#retrying = new Retrying<FlatMapPort>(
      station,
      index,
      (input) => this.#again(input),
      () => this.#behind.drain(),
    );
  }

  port(input: string | undefined): FlatMapPort {
    return new FlatMapPort(this, input);
  }
  async open(): Promise<void> {}
  get idle(): boolean {
    return this.queued === 0 && !this.#suspended;
  }
  get queued(): number {
    return this.#retrying.waiting + this.#behind.length + this.alignment.waiting;
  }
  timeReport(): TaskTime {
    const waits: Wait[] = [];
    if (this.#suspended) waits.push({ kind: 'generator' });
    else if (this.#retrying.waiting > 0) waits.push({ kind: 'retries', inputs: this.#retrying.waiting });
    return { watermark: this.#watermark, waits, state: undefined };
  }
  flush(): void {}
  async close(): Promise<void> {}

  receive(port: FlatMapPort, value: unknown, time: number, key: Key | undefined): void {
    if (this.#suspended || this.#behind.length > 0) this.#behind.push(port, value, time, key);
    else this.run(port, value, time, key);
  }

  mayRun(): boolean {
    return !this.#suspended;
  }
  mayMove(): boolean {
    return !this.#suspended && this.#retrying.waiting === 0;
  }
  run(port: FlatMapPort, value: unknown, time: number, key: Key | undefined): void {
    if (this.#retrying.waiting > 0 && this.#retrying.holdsBack(port, value, time, key)) return;
    this.#run({ port, value, time, key }, undefined);
  }
  move(watermark: number, idle: boolean): void {
    this.#watermark = watermark;
    this.#output.advance(watermark, idle);
  }

  cut(barrier: Barrier): void {
    barrier.passed(this.#station.id, this.#index, {});
    this.#output.barrier(barrier);
  }

  #again(input: Waiting<FlatMapPort>): Ran {
    if (this.#suspended) {
      this.#station.worker.runtime.timers.soon(() => this.#retrying.resume(input));
      return 'suspended';
    }
    return this.#run(input, input);
  }

  #run(input: Arrived, waiting: Waiting<FlatMapPort> | undefined): Ran {
    const { worker, metrics } = this.#station;
    worker.stopwatch.in(metrics);
    const skip = waiting?.given ?? 0;
    let many: Iterable<unknown>;
    let iterator: Iterator<unknown> | undefined;
    try {
      many = this.#each(input.value, input.time);
      iterator = Array.isArray(many) ? undefined : many[Symbol.iterator]();
    } catch (thrown) {
      return this.#threw(this.#pullOf(NOTHING, input, skip, waiting), thrown);
    }
    if (iterator !== undefined) return this.#pull(this.#pullOf(iterator, input, skip, waiting));
    metrics.ended++;
    metrics.acked++;
    this.#output.addAll(many as readonly unknown[], skip, input.time);
    if (this.#output.count > 0) this.#output.deliver();
    return 'done';
  }

  #pullOf(
    iterator: Iterator<unknown>,
    { port, value, time, key }: Arrived,
    skip: number,
    waiting: Waiting<FlatMapPort> | undefined,
  ): Pull {
    return { iterator, port, value, time, key, given: 0, skip, waiting };
  }

  /** Delivers value by value until the end ('done'), a throw ('failed'), or a wait ('suspended'). */
  #pull(pull: Pull): Ran {
    const { worker, metrics, gate } = this.#station;
    const { clock, timers } = worker.runtime;
    const until = clock.monotonic() + SLICE;
    for (let pulled = 1; ; pulled++) {
      if (gate.closed || worker.dead) return this.#suspend(pull, (resume) => gate.whenOpen(resume));
      if (pulled % PULLS === 0 && clock.monotonic() > until)
        return this.#suspend(pull, (resume) => timers.soon(resume));
      let next: IteratorResult<unknown>;
      try {
        next = pull.iterator.next();
      } catch (thrown) {
        return this.#threw(pull, thrown);
      }
      if (next.done) break;
      if (++pull.given <= pull.skip) continue;
      this.#output.add(next.value, pull.time);
      this.#output.deliver();
      worker.stopwatch.in(metrics);
    }
    metrics.ended++;
    metrics.acked++;
    return 'done';
  }

  #suspend(pull: Pull, wait: (resume: () => void) => void): Ran {
    const { worker } = this.#station;
    this.#suspended = true;
    pull.waiting ??= this.#retrying.begin(pull.port, pull.value, pull.time, pull.key);
    const { anchor } = pull.waiting;
    wait(() => {
      if (worker.dead) return;
      this.#suspended = false;
      worker.stepAlone(anchor, () => {
        worker.stopwatch.in(this.#station.metrics);
        if (this.#pull(pull) === 'done') this.#retrying.done(pull.waiting!);
      });
      this.#behind.drain();
    });
    return 'suspended';
  }

  #threw(pull: Pull, thrown: unknown): Ran {
    this.#output.discard();
    this.#station.metrics.ended++;
    pull.waiting ??= this.#retrying.begin(pull.port, pull.value, pull.time, pull.key);
    pull.waiting.given = Math.max(pull.given, pull.skip);
    this.#retrying.failed(pull.waiting, thrown);
    return 'failed';
  }
}

/** One input of a flatMap task. */
class FlatMapPort implements Port {
  readonly input: string | undefined;
  readonly #task: FlatMapTask;
  constructor(task: FlatMapTask, input: string | undefined) {
    this.#task = task;
    this.input = input;
  }
  receive(value: unknown, time: number, key: Key | undefined): void {
    this.#task.receive(this, value, time, key);
  }
}

const NOTHING: Iterator<unknown> = [][Symbol.iterator]();
