/**
 * A task of a synchronous bolt: one input, one step (law 1). What `execute` emits and writes is collected while it runs,
 * and takes effect when it returns; if it throws, all of it is undone, and the input is retried by its policy.
 */
import { MillraceError } from '../errors.ts';
import { VolatileState } from '../state/volatile.ts';
import type { AnyExecute, Lifecycle } from '../topology/bolt.ts';
import type { Key } from '../topology/key.ts';
import type { Port } from './edge.ts';
import type { Metrics, Stopwatch } from './metrics.ts';
import type { Output } from './output.ts';
import { byStream } from './output.ts';
import type { Ran, Waiting } from './retrying.ts';
import { Retrying } from './retrying.ts';
import type { EngineTask, Station } from './station.ts';
import { Ticker } from './ticker.ts';

type Execute = (value: unknown, time: number, key: Key | undefined) => unknown;

export class SyncTask implements EngineTask {
  readonly outputs: readonly Output[];
  readonly metrics: Metrics;
  readonly stopwatch: Stopwatch;
  readonly #station: Station;
  readonly #index: number;
  #executing = false;
  /** The event time that `emit` takes where none is given: that of the input being executed. */
  #time = 0;
  readonly #state: VolatileState | undefined;
  readonly #code: Lifecycle & { readonly execute: AnyExecute };
  readonly retrying: Retrying<SyncPort>;
  readonly #ticker: Ticker | undefined;

  constructor(station: Station, index: number, firstId: number) {
    this.#station = station;
    this.#index = index;
    this.metrics = station.metrics;
    this.stopwatch = station.worker.stopwatch;
    this.outputs = station.makeOutputs();
    const { component } = station;
    const code = component.kind === 'bolt' ? component.code : undefined;
    if (code?.kind === 'bolt') {
      const hasState = Object.keys(code.state).length > 0;
      this.#state = hasState ? new VolatileState(station.id, code.state, station.freeze) : undefined;
      const emit = this.#emitters();
      const context = { ...station.taskContext(index, firstId), emit, state: this.#state?.handles ?? {} };
      this.#code = code.prepare(context as never);
    } else if (code?.kind === 'map') {
      this.#code = { execute: mapped(code.each as Execute, this.outputs[0]!) };
    } else {
      throw new TypeError(`'${station.id}' is no synchronous bolt`);
    }
    this.retrying = new Retrying(station, index, (input) => this.#again(input));
    this.#ticker = Ticker.for(station, this.#code, (time) => this.#tick(time));
  }

  port(input: string | undefined): SyncPort {
    const { execute } = this.#code;
    if (typeof execute === 'function') return new SyncPort(this, input, execute as Execute);
    const handler = input === undefined ? undefined : execute[input];
    if (handler === undefined) {
      throw new MillraceError('MR_MISSING_HANDLER', [this.#station.id, input ?? '(unnamed)', Object.keys(execute)]);
    }
    return new SyncPort(this, input, handler as Execute);
  }

  async open(): Promise<void> {
    this.#ticker?.start();
  }
  get idle(): boolean {
    return this.retrying.waiting === 0;
  }
  get queued(): number {
    return this.retrying.waiting;
  }
  flush(): void {
    this.#ticker?.stop();
    const { flush } = this.#code;
    if (flush) this.#lifecycle(() => flush.call(this.#code), this.#station.worker.runtime.clock.now());
  }
  async close(): Promise<void> {
    this.#ticker?.stop();
    await this.#code.cleanup?.();
  }

  /** One input, as the first try. The hot path. */
  run(port: SyncPort, value: unknown, time: number, key: Key | undefined): void {
    this.stopwatch.in(this.metrics);
    this.metrics.ended++;
    try {
      this.#execute(port.execute, value, time, key);
    } catch (thrown) {
      this.#undo();
      this.retrying.failed(this.retrying.begin(port, value, time, key), thrown);
      return;
    }
    this.metrics.acked++;
    this.#commit();
  }

  #again(input: Waiting<SyncPort>): Ran {
    this.stopwatch.in(this.metrics);
    this.metrics.ended++;
    try {
      this.#execute(input.port.execute, input.value, input.time, input.key);
    } catch (thrown) {
      this.#undo();
      this.retrying.failed(input, thrown);
      return 'failed';
    }
    this.metrics.acked++;
    this.#commit();
    return 'done';
  }

  /** Runs user code. What it asks for is collected, until `#commit` or `#undo`. */
  #execute(execute: Execute, value: unknown, time: number, key: Key | undefined): void {
    this.#time = time;
    this.#executing = true;
    if (this.#state !== undefined) this.#state.key = key;
    const result = execute(value, time, key);
    if (result !== undefined) this.#refusePromise(result);
  }

  #refusePromise(result: unknown): void {
    if (!(result instanceof Promise)) return;
    result.catch(() => {}); // its failure is reported by the error below
    throw new MillraceError('MR_EXECUTE_PROMISE', [this.#station.id]);
  }

  #commit(): void {
    this.#executing = false;
    if (this.#state !== undefined) this.#state.commit();
    const { outputs } = this;
    for (let i = 0; i < outputs.length; i++) {
      const output = outputs[i]!;
      if (output.count > 0) output.deliver();
    }
  }

  #undo(): void {
    this.#executing = false;
    this.#state?.undo();
    for (const output of this.outputs) output.discard();
  }

  #tick(time: number): void {
    this.#lifecycle(() => this.#code.tick!(time), time);
  }

  /** A tick or flush: a step of its own, without a tuple. A bolt grouped by global() has its one key there. */
  #lifecycle(run: () => void, time: number): void {
    const { worker, component } = this.#station;
    const isGlobal = component.inputs.every((input) => input.grouping.kind === 'global');
    worker.stepAlone(undefined, () => {
      this.stopwatch.in(this.metrics);
      try {
        this.#execute(run, undefined, time, isGlobal ? [] : undefined);
        this.#commit();
      } catch (thrown) {
        this.#undo();
        this.metrics.errors++;
        const error = this.#station.userError(this.#index, thrown, '(tick or flush)');
        if (!this.#station.stops(error)) worker.options.log(component.id, error.message);
      }
    });
  }

  #emitters(): unknown {
    const { component } = this.#station;
    const outside = () => new MillraceError('MR_EMIT_OUTSIDE', [component.id]);
    const emitters = this.outputs.map((output) =>
      output.direct
        ? (task: number, value: unknown, time: number = this.#time) => {
            if (!this.#executing) throw outside();
            output.add(value, time, task);
          }
        : (value: unknown, time: number = this.#time) => {
            if (!this.#executing) throw outside();
            output.add(value, time);
          },
    );
    return byStream(component.streams, emitters);
  }
}

/** One input of a synchronous task. */
class SyncPort implements Port {
  readonly input: string | undefined;
  readonly execute: Execute;
  readonly #task: SyncTask;

  constructor(task: SyncTask, input: string | undefined, execute: Execute) {
    this.#task = task;
    this.input = input;
    this.execute = execute;
  }

  receive(value: unknown, time: number, key: Key | undefined): void {
    const { retrying } = this.#task;
    if (retrying.waiting > 0 && retrying.holdsBack(this, value, time, key)) return;
    this.#task.run(this, value, time, key);
  }
}

/** A plain function as an `execute`: what it gives back is emitted with the time of its input, undefined is not. */
function mapped(each: Execute, output: Output): Execute {
  return (value, time, key) => {
    const result = each(value, time, key);
    if (result instanceof Promise) return result;
    if (result !== undefined) output.add(result, time);
    return undefined;
  };
}
