/**
 * A task of a manual bolt: it keeps its tuples and acks or fails each by itself, now or later, also from a promise. What
 * it emits is anchored to the tuples it names. What it emits, acks and fails while `execute`, `tick` or `flush` runs
 * takes effect when that returns; if it throws, none of it does, and the tuple that was being executed fails. What it
 * asks for from a promise takes effect at once, or, while a queue downstream is full, in order when there is room again.
 * A watermark goes on when all tuples that came before it are acked or failed.
 */
import { shown } from '../codec/shown.ts';
import { MillraceError } from '../errors.ts';
import type { BoltCode, Lifecycle, Tuple } from '../topology/bolt.ts';
import type { Key } from '../topology/key.ts';
import { Alignment } from './alignment.ts';
import type { Barrier } from './barrier.ts';
import type { Port } from './edge.ts';
import { TimeMerge } from './event-time.ts';
import { Fifo } from './fifo.ts';
import { Room } from './gate.ts';
import type { Epoch } from './held-watermarks.ts';
import { HeldWatermarks } from './held-watermarks.ts';
import type { Output } from './output.ts';
import { byStream } from './output.ts';
import type { EngineTask, Station, TaskTime } from './station.ts';
import { Ticker } from './ticker.ts';
import type { Anchor } from './tree.ts';
import { anchorOf } from './tree.ts';

type ManualCode = Extract<BoltCode, { readonly kind: 'manual' }>;
type Prepared = Lifecycle & { readonly execute: (tuple: Tuple<never>) => void; readonly flush: () => void };

/** Something that user code asked for: done when it returns, or dropped when it throws. */
interface Effect {
  readonly apply: () => void;
  readonly drop: () => void;
}

class HeldTuple implements Tuple<unknown> {
  readonly value: unknown;
  readonly time: number;
  readonly key: Key | undefined;
  readonly source: string;
  readonly input: string | undefined;
  readonly #anchor: Anchor | undefined;
  readonly #since: number;
  readonly #epoch: Epoch;
  /** `ending`: acked or failed, by a step that has not returned yet. */
  #state: 'open' | 'ending' | 'ended' = 'open';

  constructor(
    value: unknown,
    time: number,
    key: Key | undefined,
    source: string,
    input: string | undefined,
    anchor: Anchor | undefined,
    since: number,
    epoch: Epoch,
  ) {
    this.value = value;
    this.time = time;
    this.key = key;
    this.source = source;
    this.input = input;
    this.#anchor = anchor;
    this.#since = since;
    this.#epoch = epoch;
  }
  static isOpen(tuple: HeldTuple): boolean {
    return tuple.#state === 'open';
  }
  static hasEnded(tuple: HeldTuple): boolean {
    return tuple.#state === 'ended';
  }
  static anchorOf(tuple: HeldTuple): Anchor | undefined {
    return tuple.#anchor;
  }
  static epochOf(tuple: HeldTuple): Epoch {
    return tuple.#epoch;
  }
  static mark(tuple: HeldTuple, state: 'open' | 'ending'): void {
    tuple.#state = state;
  }
  /** Ends it, once; gives back when it had arrived. */
  static close(tuple: HeldTuple): number {
    tuple.#state = 'ended';
    return tuple.#since;
  }
}

export class ManualTask implements EngineTask {
  readonly outputs: readonly Output[];
  readonly #watermarks = new HeldWatermarks(
    (watermark, idle) => {
      for (const output of this.outputs) output.advance(watermark, idle);
    },
    (barrier) => this.#cut(barrier),
  );
  readonly eventTime = new TimeMerge((watermark, idle) => this.#watermarks.advance(watermark, idle));
  readonly alignment: Alignment;
  /** This barrier waits for the tuples before it; those behind it are not let in. `flushed`: the bolt has been asked for all of them. */
  #cutting: { readonly barrier: Barrier; flushed: boolean; failures: number } | undefined;
  /** Of the tuples that this step has ended: what it emits besides comes before a watermark that waits for them. */
  readonly #ended: Epoch[] = [];
  readonly #station: Station;
  readonly #index: number;
  readonly #code: Prepared;
  readonly #room: Room;
  readonly #ticker: Ticker | undefined;
  #effects: Effect[] | undefined;
  /** Asked for from outside of a step while a queue downstream was full. */
  readonly #late = new Fifo<Effect>();
  #flushing = false;

  constructor(station: Station, index: number, firstId: number, code: ManualCode) {
    this.#station = station;
    this.#index = index;
    this.#room = new Room(station.gate, station.component.settings.queue);
    this.outputs = station.makeOutputs();
    this.alignment = new Alignment(station, (barrier) => this.#prepareCut(barrier));
    this.#code = code.prepare({
      ...station.taskContext(index, firstId),
      emit: this.#emitters(),
      ack: (tuple: Tuple<unknown>) => this.#end(tuple, undefined),
      fail: (tuple: Tuple<unknown>, cause?: unknown) =>
        this.#end(tuple, { cause: cause ?? new Error(`failed by '${station.id}'`) }),
      resetTimeout: (tuple: Tuple<unknown>) => HeldTuple.anchorOf(this.#held(tuple, HeldTuple.hasEnded))?.touch(),
    } as never);
    this.#ticker = Ticker.for(station, this.#code, (time) => this.#run(() => this.#code.tick!(time)));
  }

  port(input: string | undefined): Port {
    const { inputs } = this.#station.component;
    const source = inputs.find((i) => i.name === input)!.from.component;
    return { receive: (value, time, key) => this.#receive(value, time, key, source, input) };
  }
  async open(): Promise<void> {
    this.#ticker?.start();
  }
  /** What it holds is given on by `flush`. */
  get idle(): boolean {
    return this.#late.length === 0;
  }
  get queued(): number {
    return this.#room.used + this.alignment.waiting;
  }
  timeReport(): TaskTime {
    const { watermark, inFront } = this.#watermarks;
    return { watermark, waits: inFront > 0 ? [{ kind: 'held', inputs: inFront }] : [], state: undefined };
  }
  flush(): void {
    this.#ticker?.stop();
    this.#flush();
  }
  async close(): Promise<void> {
    this.#ticker?.stop();
    await this.#code.cleanup?.();
  }

  /**
   * What the bolt emits may come of several tuples, so none behind a barrier may be among them before it has gone on: the
   * bolt is asked to give on what it holds, and gets no more until it has.
   */
  #prepareCut(barrier: Barrier): void {
    this.#cutting = { barrier, flushed: false, failures: 0 };
    this.alignment.close();
    this.#flushToCut();
  }

  /**
   * At least once, as it may have acked what it still gathers. Again after each tuple that ends: what was under way may have
   * kept it from giving on the rest. What it cannot give on no checkpoint would have: after the last retry the topology stops.
   */
  #flushToCut(): void {
    const { worker, gate } = this.#station;
    const cutting = this.#cutting;
    if (cutting === undefined || worker.dead || (cutting.flushed && this.#room.used === 0)) return;
    if (gate.closed) return gate.whenOpen(() => this.#flushToCut());
    const error = this.#flush();
    if (error !== undefined) {
      const again = () => this.#flushToCut();
      if (!this.#station.retries(error.message, ++cutting.failures, 'flushing again', again)) worker.fail(error);
    } else if (!cutting.flushed) {
      cutting.flushed = true;
      this.#watermarks.barrier(cutting.barrier);
    }
  }

  #cut(barrier: Barrier): void {
    barrier.passed(this.#station.id, this.#index, {});
    for (const output of this.outputs) output.barrier(barrier);
    this.#cutting = undefined;
    this.#station.worker.runtime.timers.soon(() => this.alignment.open());
  }

  #flush(): MillraceError | undefined {
    return this.#run(() => this.#code.flush());
  }

  #receive(value: unknown, time: number, key: Key | undefined, source: string, input: string | undefined): void {
    const { worker, metrics } = this.#station;
    const { anchor } = worker;
    anchor?.hold();
    this.#room.take();
    const since = worker.runtime.clock.monotonic();
    const tuple = new HeldTuple(value, time, key, source, input, anchor, since, this.#watermarks.arrived());
    worker.stopwatch.in(metrics);
    metrics.ended++;
    const failed = this.#collect(
      () => this.#code.execute(tuple as unknown as Tuple<never>),
      () => shown(value),
      (error) => {
        if (HeldTuple.isOpen(tuple)) this.#end(tuple, { cause: error });
      },
    );
    if (failed !== undefined && HeldTuple.isOpen(tuple)) {
      this.#finish(tuple, { cause: failed });
      this.#letTimeGoOn();
    }
    if (this.#room.isFull) this.#flushSoon();
  }

  /** At its bound the bolt is asked to give on what it holds: its batch may be larger than what may wait here. */
  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    const { worker, gate } = this.#station;
    const flush = () => {
      if (gate.closed) return gate.whenOpen(flush);
      this.#flushing = false;
      if (!worker.dead && this.#room.isFull) this.#flush();
    };
    worker.runtime.timers.soon(flush);
  }

  /** A step of its own: a tick or a flush. */
  #run(run: () => void): MillraceError | undefined {
    const { worker, metrics } = this.#station;
    let failed: MillraceError | undefined;
    worker.stepAlone(undefined, () => {
      worker.stopwatch.in(metrics);
      failed = this.#collect(
        run,
        () => '(tick or flush)',
        () => {},
      );
    });
    return failed;
  }

  /** Runs user code, and then what it asked for, or nothing of it when it threw: then gives back the error. */
  #collect(run: () => unknown, input: () => string, onLate: (error: MillraceError) => void): MillraceError | undefined {
    const { worker } = this.#station;
    const outer = worker.anchor;
    const effects: Effect[] = [];
    this.#effects = effects;
    try {
      const result = run();
      // An `async` function of the user's: what follows its first `await` is outside of this step, its failure included.
      if (result instanceof Promise) {
        result.catch((thrown: unknown) => {
          if (!worker.dead) onLate(this.#threw(thrown, input()));
        });
      }
    } catch (thrown) {
      for (const effect of effects) effect.drop();
      return this.#threw(thrown, input());
    } finally {
      this.#effects = undefined;
    }
    for (const effect of effects) effect.apply();
    worker.anchor = outer;
    this.#letTimeGoOn();
    return undefined;
  }

  #letTimeGoOn(): void {
    const ended = this.#ended.splice(0);
    for (const epoch of ended) this.#watermarks.done(epoch);
    if (this.#cutting !== undefined && ended.length > 0)
      this.#station.worker.runtime.timers.soon(() => this.#flushToCut());
  }

  #threw(thrown: unknown, input: string): MillraceError {
    const { worker, component, metrics } = this.#station;
    metrics.errors++;
    const error = this.#station.userError(this.#index, thrown, input);
    if (!this.#station.stops(error)) worker.options.log(component.id, error.message);
    return error;
  }

  /** While user code runs effects are collected; from a promise or a callback each is a step of its own. */
  #effect(effect: Effect): void {
    const { worker, gate } = this.#station;
    if (worker.dead) return;
    if (this.#effects !== undefined) this.#effects.push(effect);
    else if (!gate.closed && this.#late.length === 0) {
      worker.stepAlone(undefined, effect.apply);
      this.#letTimeGoOn();
    } else {
      this.#late.push(effect);
      if (this.#late.length === 1) gate.whenOpen(() => this.#applyLate());
    }
  }

  #applyLate(): void {
    const { worker, gate } = this.#station;
    while (!worker.dead && this.#late.length > 0) {
      if (gate.closed) return gate.whenOpen(() => this.#applyLate());
      worker.stepAlone(undefined, this.#late.first!.apply);
      this.#late.shift();
      this.#letTimeGoOn();
    }
    worker.progress();
  }

  /** What user code means by the tuple that it names. */
  #held(tuple: Tuple<unknown>, isStale: (held: HeldTuple) => boolean): HeldTuple {
    if (tuple instanceof HeldTuple && !isStale(tuple)) return tuple;
    throw new MillraceError('MR_STALE_TUPLE', [this.#station.id]);
  }

  #end(tuple: Tuple<unknown>, failed: { readonly cause: unknown } | undefined): void {
    const held = this.#held(tuple, (of) => !HeldTuple.isOpen(of));
    HeldTuple.mark(held, 'ending');
    this.#effect({ apply: () => this.#finish(held, failed), drop: () => HeldTuple.mark(held, 'open') });
  }

  #finish(held: HeldTuple, failed: { readonly cause: unknown } | undefined): void {
    const { worker, metrics } = this.#station;
    metrics.process.record(worker.runtime.clock.monotonic() - HeldTuple.close(held));
    const anchor = HeldTuple.anchorOf(held);
    if (failed === undefined) metrics.acked++;
    else {
      metrics.failed++;
      this.#fail(held, failed.cause);
    }
    this.#room.give();
    this.#ended.push(HeldTuple.epochOf(held));
    anchor?.release();
    worker.progress();
  }

  /** What checkpoints keep is not replayed behind the watermark: the tuple is given up here. */
  #fail(held: HeldTuple, cause: unknown): void {
    const { worker, metrics } = this.#station;
    const anchor = HeldTuple.anchorOf(held);
    if (worker.keeps !== 'checkpoints' || anchor?.inLedger) return anchor?.fail(cause);
    const { value, time, input } = held;
    const error = this.#station.userError(this.#index, cause, shown(value));
    worker.options.log(this.#station.id, `${error.message}; given to the ledger`);
    worker.lose({ metrics, input, cause: 'error', detail: error.message, value, time }, anchor);
  }

  #emitters(): unknown {
    const send = (
      output: Output,
      value: unknown,
      anchors: readonly Tuple<unknown>[],
      time: number | undefined,
      task?: number,
    ) => {
      const held = anchors.map((tuple) => this.#held(tuple, HeldTuple.hasEnded));
      const at = time ?? held[0]?.time ?? this.#station.worker.runtime.clock.now();
      const anchor = anchorOf(held.map(HeldTuple.anchorOf));
      // The hold keeps the tree open when the tuple is acked before the emit takes effect.
      anchor?.hold();
      const apply = () => {
        this.#station.worker.anchor = anchor;
        output.add(value, at, task);
        output.deliver();
        anchor?.release();
      };
      this.#effect({ apply, drop: () => anchor?.release() });
    };
    const emitters = this.outputs.map((output) =>
      output.direct
        ? (task: number, value: unknown, anchors: readonly Tuple<unknown>[], time?: number) =>
            send(output, value, anchors, time, task)
        : (value: unknown, anchors: readonly Tuple<unknown>[], time?: number) => send(output, value, anchors, time),
    );
    return byStream(this.#station.component.streams, emitters as readonly ((...args: never[]) => void)[]);
  }
}
