/**
 * A task of an asynchronous bolt: at most `concurrency` calls at once, the rest waits in order, in front of a bound.
 * `ordered` gives results on in the order of the inputs; `perKey` runs one call per key at a time; `unordered` gives on
 * what is ready. A call keeps its place until its result has been delivered, so results are bounded as well.
 */
import { milliseconds } from '../duration.ts';
import { MillraceError } from '../errors.ts';
import type { AsyncCall, BoltCode } from '../topology/bolt.ts';
import type { CanonicalKey, Key } from '../topology/key.ts';
import { canonicalKey } from '../topology/key.ts';
import type { Port } from './edge.ts';
import { Room } from './gate.ts';
import type { Output } from './output.ts';
import type { EngineTask, Station } from './station.ts';
import type { Anchor } from './tree.ts';
import { shown } from './worker.ts';

type AsyncCode = Extract<BoltCode, { readonly kind: 'async' }>;

interface Call {
  readonly input: string | undefined;
  readonly value: unknown;
  readonly time: number;
  readonly key: Key | undefined;
  readonly anchor: Anchor | undefined;
  readonly since: number;
  attempt: number;
  /** Set when it has ended: what it gave, or that it was given up. */
  ended: { readonly result: unknown } | undefined;
  abort: AbortController | undefined;
}

export class AsyncTask implements EngineTask {
  readonly outputs: readonly Output[];
  readonly #station: Station;
  readonly #index: number;
  readonly #code: AsyncCode;
  readonly #timeout: number | undefined;
  readonly #room: Room;
  readonly #waiting: Call[] = [];
  /** Running, or ended and not delivered yet; in the order of the inputs. */
  readonly #running = new Set<Call>();
  readonly #busyKeys = new Set<CanonicalKey | undefined>();
  #delivering = false;

  constructor(station: Station, index: number, code: AsyncCode) {
    this.#station = station;
    this.#index = index;
    this.#code = code;
    this.#timeout = code.timeout === undefined ? undefined : milliseconds(code.timeout);
    this.#room = new Room(station.gate, station.component.settings.queue + code.concurrency);
    this.outputs = station.makeOutputs();
  }

  port(input: string | undefined): Port {
    return { receive: (value, time, key) => this.#receive(input, value, time, key) };
  }
  async open(): Promise<void> {}
  get idle(): boolean {
    return this.#running.size === 0 && this.#waiting.length === 0;
  }
  get queued(): number {
    return this.#room.used;
  }
  flush(): void {}
  async close(now: boolean): Promise<void> {
    if (now) for (const call of this.#running) call.abort?.abort(new Error('the topology was killed'));
  }

  #receive(input: string | undefined, value: unknown, time: number, key: Key | undefined): void {
    const { worker } = this.#station;
    worker.anchor?.hold();
    this.#room.take();
    const since = worker.runtime.clock.monotonic();
    this.#waiting.push({
      input,
      value,
      time,
      key,
      anchor: worker.anchor,
      since,
      attempt: 0,
      ended: undefined,
      abort: undefined,
    });
    this.#startWhatMay();
  }

  #startWhatMay(): void {
    if (this.#code.order !== 'perKey') {
      while (this.#waiting.length > 0 && this.#running.size < this.#code.concurrency)
        this.#start(this.#waiting.shift()!);
      return;
    }
    for (let i = 0; i < this.#waiting.length && this.#running.size < this.#code.concurrency; ) {
      const key = keyOf(this.#waiting[i]!);
      if (this.#busyKeys.has(key)) i++;
      else {
        this.#busyKeys.add(key);
        this.#start(this.#waiting.splice(i, 1)[0]!);
      }
    }
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
    /** A time-out and its call's own end race: the first counts. */
    const current = () => !worker.dead && call.attempt === attempt && call.ended === undefined;
    const cancelTimeout = this.#startTimeout(call, abort, current);
    const started = worker.runtime.clock.monotonic();
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
        if (!current()) return;
        metrics.execute.record(worker.runtime.clock.monotonic() - started);
        this.#end(call, result);
      },
      (thrown: unknown) => {
        cancelTimeout();
        if (current()) this.#failed(call, thrown);
      },
    );
  }

  #startTimeout(call: Call, abort: AbortController, current: () => boolean): () => void {
    const ms = this.#timeout;
    if (ms === undefined) return () => {};
    return this.#station.worker.runtime.timers.after(ms, () => {
      if (!current()) return;
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
    const wait = this.#station.backoff(call.attempt);
    if (wait !== undefined) {
      worker.options.log(component.id, `${error.message}; retry ${call.attempt} in ${wait} ms`);
      worker.runtime.timers.after(wait, () => {
        if (!worker.dead) this.#try(call);
      });
      return;
    }
    metrics.failed++;
    if (component.settings.onError.exhausted === 'stop') return worker.fail(error);
    worker.options.log(component.id, `${error.message}; given to the ledger after ${call.attempt} tries`);
    const { input, value, time, anchor } = call;
    worker.lose({ metrics, input, cause: 'error', detail: error.message, value, time }, anchor);
    this.#end(call, undefined);
  }

  #end(call: Call, result: unknown): void {
    call.ended = { result };
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
      if (gate.closed) {
        this.#delivering = true;
        gate.whenOpen(() => {
          this.#delivering = false;
          if (!worker.dead) this.#deliver();
        });
        break;
      }
      this.#deliverOne(call, call.ended.result);
    }
    this.#startWhatMay();
    worker.progress();
  }

  #deliverOne(call: Call, result: unknown): void {
    const { worker, metrics } = this.#station;
    this.#running.delete(call);
    if (this.#code.order === 'perKey') this.#busyKeys.delete(keyOf(call));
    metrics.acked++;
    metrics.process.record(worker.runtime.clock.monotonic() - call.since);
    if (result !== undefined) {
      worker.stepAlone(call.anchor, () => {
        this.outputs[0]!.add(result, call.time);
        this.outputs[0]!.deliver();
      });
    }
    this.#room.give();
    call.anchor?.release();
  }
}

/** Inputs without a key have one line together. */
function keyOf(call: Call): CanonicalKey | undefined {
  return call.key === undefined ? undefined : canonicalKey(call.key);
}
