/**
 * A task of an asynchronous bolt: at most `concurrency` calls at once, the rest waits in order, in front of a bound.
 * `ordered` gives results on in the order of the inputs; `perKey` runs one call per key at a time; `unordered` gives on
 * what is ready. A call keeps its place until its result has been delivered, so results are bounded as well. A watermark
 * goes on after all results of the inputs before it, and before those of the inputs behind it (as in Flink).
 */
import { shown } from '../codec/shown.ts';
import { milliseconds } from '../duration.ts';
import { MillraceError } from '../errors.ts';
import type { AsyncCall, BoltCode } from '../topology/bolt.ts';
import type { CanonicalKey, Key } from '../topology/key.ts';
import { canonicalKey } from '../topology/key.ts';
import { Alignment } from './alignment.ts';
import type { Barrier } from './barrier.ts';
import type { Port } from './edge.ts';
import { TimeMerge } from './event-time.ts';
import { Fifo } from './fifo.ts';
import { Room } from './gate.ts';
import type { Epoch } from './held-watermarks.ts';
import { HeldWatermarks } from './held-watermarks.ts';
import type { Output } from './output.ts';
import type { EngineTask, Station, TaskTime } from './station.ts';
import type { Anchor } from './tree.ts';

type AsyncCode = Extract<BoltCode, { readonly kind: 'async' }>;

interface Call {
  /** In the order of arrival. */
  readonly number: number;
  readonly input: string | undefined;
  readonly value: unknown;
  readonly time: number;
  readonly key: Key | undefined;
  readonly anchor: Anchor | undefined;
  readonly since: number;
  readonly epoch: Epoch;
  attempt: number;
  /** Set when it has ended: what it gave, or that it was given up and is in the ledger. */
  ended: { readonly result: unknown; readonly lost: boolean } | undefined;
  abort: AbortController | undefined;
}

export class AsyncTask implements EngineTask {
  readonly outputs: readonly Output[];
  readonly #watermarks = new HeldWatermarks(
    (watermark, idle) => this.outputs[0]!.advance(watermark, idle),
    (barrier) => this.#cut(barrier),
  );
  readonly eventTime = new TimeMerge((watermark, idle) => this.#watermarks.advance(watermark, idle));
  readonly alignment: Alignment;
  readonly #station: Station;
  readonly #index: number;
  readonly #code: AsyncCode;
  readonly #timeout: number | undefined;
  readonly #room: Room;
  /** Those that may start when there is a place, in order. */
  readonly #waiting = new Fifo<Call>();
  /** The same, that had to wait for another one of their key, the oldest last. */
  readonly #freed: Call[] = [];
  #came = 0;
  /** Running, or ended and not delivered yet; in the order of the inputs. */
  readonly #running = new Set<Call>();
  /** `perKey`: each key with a call that waits or runs, and the inputs behind that one. */
  readonly #lines = new Map<CanonicalKey | undefined, Fifo<Call>>();
  #delivering = false;

  constructor(station: Station, index: number, code: AsyncCode) {
    this.#station = station;
    this.#index = index;
    this.#code = code;
    this.#timeout = code.timeout === undefined ? undefined : milliseconds(code.timeout);
    this.#room = new Room(station.gate, station.component.settings.queue + code.concurrency);
    this.outputs = station.makeOutputs();
    this.alignment = new Alignment(station, (barrier) => this.#watermarks.barrier(barrier));
  }

  port(input: string | undefined): Port {
    return { receive: (value, time, key) => this.#receive(input, value, time, key) };
  }
  async open(): Promise<void> {}
  get idle(): boolean {
    return this.queued === 0;
  }
  get queued(): number {
    return this.#room.used + this.alignment.waiting;
  }
  timeReport(): TaskTime {
    const { watermark, inFront } = this.#watermarks;
    return { watermark, waits: inFront > 0 ? [{ kind: 'calls', inputs: inFront }] : [], state: undefined };
  }
  flush(): void {}
  async close(now: boolean): Promise<void> {
    if (now) for (const call of this.#running) call.abort?.abort(new Error('the topology was killed'));
  }

  #cut(barrier: Barrier): void {
    barrier.passed(this.#station.id, this.#index, {});
    this.outputs[0]!.barrier(barrier);
  }

  #receive(input: string | undefined, value: unknown, time: number, key: Key | undefined): void {
    const { worker } = this.#station;
    worker.anchor?.hold();
    this.#room.take();
    const call: Call = {
      number: this.#came++,
      input,
      value,
      time,
      key,
      anchor: worker.anchor,
      since: worker.runtime.clock.monotonic(),
      epoch: this.#watermarks.arrived(),
      attempt: 0,
      ended: undefined,
      abort: undefined,
    };
    const line = this.#code.order === 'perKey' ? this.#lineOf(call) : undefined;
    if (line === undefined) this.#waiting.push(call);
    else line.push(call);
    this.#startWhatMay();
  }

  /** The line that this call must wait in; undefined when it is the first of its key, and heads a new line. */
  #lineOf(call: Call): Fifo<Call> | undefined {
    const key = keyOf(call);
    const line = this.#lines.get(key);
    if (line === undefined) this.#lines.set(key, new Fifo());
    return line;
  }

  #startWhatMay(): void {
    while (this.#running.size < this.#code.concurrency) {
      const next = this.#oldest();
      if (next === undefined) return;
      this.#start(next);
    }
  }

  /**
   * Always the one that came first: those behind a watermark or a barrier may keep all places until those in front of it are
   * done, so none of these may be left without one.
   */
  #oldest(): Call | undefined {
    const first = this.#waiting.first;
    const freed = this.#freed.at(-1);
    return freed === undefined || (first !== undefined && first.number < freed.number)
      ? this.#waiting.shift()
      : this.#freed.pop();
  }

  #start(call: Call): void {
    this.#running.add(call);
    this.#try(call);
  }

  #try(call: Call): void {
    const { worker, metrics } = this.#station;
    const abort = new AbortController();
    call.abort = abort;
    const attempt = call.attempt;
    const started = worker.runtime.clock.monotonic();
    /** A time-out and its call's own end race: the first counts. */
    const isFirst = () => {
      if (worker.dead || call.attempt !== attempt || call.ended !== undefined) return false;
      metrics.execute.record(worker.runtime.clock.monotonic() - started);
      return true;
    };
    const cancelTimeout = this.#startTimeout(call, abort, isFirst);
    const asked: AsyncCall = { signal: abort.signal, time: call.time };
    metrics.ended++;
    metrics.executed++;
    let promise: Promise<unknown>;
    try {
      promise = Promise.resolve(this.#code.execute(call.value as never, asked));
    } catch (thrown) {
      promise = Promise.reject(thrown);
    }
    promise.then(
      (result) => {
        cancelTimeout();
        if (isFirst()) this.#end(call, result, false);
      },
      (thrown: unknown) => {
        cancelTimeout();
        if (isFirst()) this.#failed(call, thrown);
      },
    );
  }

  #startTimeout(call: Call, abort: AbortController, isFirst: () => boolean): () => void {
    const ms = this.#timeout;
    if (ms === undefined) return () => {};
    return this.#station.worker.runtime.timers.after(ms, () => {
      if (!isFirst()) return;
      const error = new MillraceError('MR_TIMEOUT', [this.#station.id, ms]);
      this.#failed(call, error);
      abort.abort(error);
    });
  }

  #failed(call: Call, thrown: unknown): void {
    const { worker, metrics, component } = this.#station;
    call.attempt++;
    call.anchor?.touch();
    metrics.errors++;
    const error = this.#station.userError(this.#index, thrown, shown(call.value));
    if (this.#station.retries(error.message, call.attempt, `retry ${call.attempt}`, () => this.#try(call))) return;
    metrics.failed++;
    if (this.#station.stops(error)) return;
    worker.options.log(component.id, `${error.message}; given to the ledger after ${call.attempt} tries`);
    const { input, value, time, anchor } = call;
    worker.lose({ metrics, input, cause: 'error', detail: error.message, value, time }, anchor);
    this.#end(call, undefined, true);
  }

  #end(call: Call, result: unknown, lost: boolean): void {
    call.ended = { result, lost };
    this.#deliver();
  }

  /** Gives on what has ended and whose turn it is, while downstream has room. */
  #deliver(): void {
    const { worker, gate } = this.#station;
    if (this.#delivering) return;
    for (const call of this.#running) {
      if (call.ended === undefined) {
        if (this.#code.order === 'ordered') break;
        continue;
      }
      if (call.epoch !== this.#watermarks.first) continue;
      if (gate.closed) {
        this.#delivering = true;
        gate.whenOpen(() => {
          this.#delivering = false;
          if (!worker.dead) this.#deliver();
        });
        break;
      }
      // A watermark has gone on: those that ended behind it are next.
      if (this.#deliverOne(call, call.ended)) return this.#deliver();
    }
    this.#startWhatMay();
    worker.progress();
  }

  /** True: a watermark has gone on. */
  #deliverOne(call: Call, { result, lost }: NonNullable<Call['ended']>): boolean {
    const { worker, metrics } = this.#station;
    this.#running.delete(call);
    if (!lost) metrics.acked++;
    metrics.process.record(worker.runtime.clock.monotonic() - call.since);
    if (result !== undefined) {
      worker.stepAlone(call.anchor, () => {
        this.outputs[0]!.add(result, call.time);
        this.outputs[0]!.deliver();
      });
    }
    if (this.#code.order === 'perKey') this.#nextOf(keyOf(call));
    this.#room.give();
    call.anchor?.release();
    return this.#watermarks.done(call.epoch);
  }

  #nextOf(key: CanonicalKey | undefined): void {
    const next = this.#lines.get(key)!.shift();
    if (next === undefined) return void this.#lines.delete(key);
    const at = this.#freed.findLastIndex(({ number }) => number > next.number);
    this.#freed.splice(at + 1, 0, next);
  }
}

/** Inputs without a key have one line together. */
function keyOf(call: Call): CanonicalKey | undefined {
  return call.key === undefined ? undefined : canonicalKey(call.key);
}
