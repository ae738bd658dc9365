/**
 * A task of a synchronous bolt: one input, one step (law 1). What `execute` emits and writes is collected while it runs,
 * and takes effect when it returns; if it throws, all of it is undone, and the input is retried by its policy. A timer is
 * a step like any other.
 *
 * A watermark waits for the inputs before it that are being retried, then the event timers up to it are told, and then
 * it goes on. What comes meanwhile waits behind it (law 2).
 */
import { MillraceError } from '../errors.ts';
import type { BoltTaskCode, RejectCause } from '../topology/bolt.ts';
import type { Key } from '../topology/key.ts';
import { Alignment } from './alignment.ts';
import type { Barrier } from './barrier.ts';
import { Behind } from './behind.ts';
import type { Port } from './edge.ts';
import { TimeMerge } from './event-time.ts';
import type { Wait } from './explanation.ts';
import type { Metrics, Stopwatch } from './metrics.ts';
import type { Output } from './output.ts';
import { byStream } from './output.ts';
import type { Ran, Waiting } from './retrying.ts';
import { Retrying } from './retrying.ts';
import type { EngineTask, Station, TaskTime } from './station.ts';
import { Ticker } from './ticker.ts';
import { TimedState } from './timed-state.ts';
import type { Fired } from './timer-loop.ts';

type Execute = (value: unknown, time: number, key: Key | undefined) => unknown;

/** What a bolt rejected in the step that runs: its input, or a value that it had kept. */
interface RejectedValue {
  readonly detail: string;
  readonly cause: RejectCause;
  readonly of: { readonly value: unknown; readonly time: number } | undefined;
}

export class SyncTask implements EngineTask {
  readonly outputs: readonly Output[];
  readonly metrics: Metrics;
  readonly stopwatch: Stopwatch;
  readonly eventTime = new TimeMerge((watermark, idle) => this.behind.advance(watermark, idle));
  readonly #station: Station;
  readonly #index: number;
  #executing = false;
  /** The step that runs has no input of its own: a timer, a tick, a flush, a watermark. */
  #alone = false;
  /** The event time that `emit` takes where none is given: that of the input being executed. */
  #time = 0;
  #rejected: RejectedValue[] | undefined;
  /** How far event time has come for the bolt: its inputs may have come further while it is busy. */
  #watermark = -Infinity;
  /** Surely nothing waits, is retried or is being told: an input need not look any further. False says nothing. */
  unhindered = true;
  /** A watermark or a barrier is being worked on. */
  #moving = false;
  /** The last watermark that is a time. */
  #lastTime = -1;
  readonly #state: TimedState | undefined;
  /** Retries whose turn came while timers were being told. */
  readonly #retries: Waiting<SyncPort>[] = [];
  readonly #code: BoltTaskCode;
  readonly retrying: Retrying<SyncPort>;
  readonly behind: Behind<SyncPort>;
  readonly alignment: Alignment;
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
      if (Object.keys(code.state).length + Object.keys(code.timers).length > 0)
        this.#state = new TimedState(
          station,
          index,
          code,
          (timer) => this.#tell(timer),
          () => this.#told(),
        );
      this.#code = code.prepare(this.#context(firstId) as never);
      for (const name of Object.keys(code.timers)) {
        if (this.#code.timer?.[name] === undefined)
          throw new MillraceError('MR_TIMER_WITHOUT_HANDLER', [station.id, name]);
      }
    } else if (code?.kind === 'map') {
      this.#code = { execute: mapped(code.each as Execute, this.outputs[0]!) };
    } else {
      throw new TypeError(`'${station.id}' is no synchronous bolt`);
    }
    this.behind = new Behind(station, this);
    this.alignment = new Alignment(station, (barrier) => this.behind.barrier(barrier));
    this.retrying = new Retrying(
      station,
      index,
      (input) => this.#again(input),
      () => this.behind.drain(),
    );
    this.#ticker = Ticker.for(station, this.#code, (time) => this.behind.tick(time));
  }

  /** What `prepare` is given. */
  #context(firstId: number): object {
    return {
      ...this.#station.taskContext(this.#index, firstId),
      emit: this.#emitters(),
      state: this.#state?.keyed.handles ?? {},
      timers: this.#state?.keyed.timers ?? {},
      watermark: () => this.#watermark,
      reject: (detail: string, cause: RejectCause = 'dropped', of?: RejectedValue['of']) =>
        this.#reject({ detail, cause, of }),
    };
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

  /** Before the first input, once what was kept is restored: event time goes on from here (law 7). */
  resume(watermark: number): void {
    this.eventTime.watermark = watermark;
    this.#watermark = watermark;
    if (Number.isFinite(watermark)) this.#lastTime = watermark;
    this.#state?.resume(watermark);
  }

  async open(): Promise<void> {
    this.#state?.open();
    this.#ticker?.start();
  }
  get idle(): boolean {
    return this.queued === 0 && this.mayRun();
  }
  get queued(): number {
    return this.retrying.waiting + this.behind.length + this.alignment.waiting;
  }
  /** Nothing waits in front of this task that an input would overtake. */
  get isFree(): boolean {
    return this.behind.length === 0 && this.mayRun();
  }
  timeReport(): TaskTime {
    const waits: Wait[] = [];
    if (this.retrying.waiting > 0) waits.push({ kind: 'retries', inputs: this.retrying.waiting });
    if (this.#state?.telling) waits.push({ kind: 'timers', failures: this.#state.failures });
    return { watermark: this.#watermark, waits, state: this.#state?.keyed };
  }
  flush(): void {
    this.#ticker?.stop();
    this.#endure(this.#flush());
  }
  #flush(): MillraceError | undefined {
    const { flush } = this.#code;
    return flush && this.#lifecycle(() => flush.call(this.#code), this.#station.worker.runtime.clock.now());
  }
  async close(): Promise<void> {
    this.#ticker?.stop();
    this.#state?.close();
    await this.#code.cleanup?.();
  }

  mayRun(): boolean {
    return !this.#moving && (this.#state === undefined || !this.#state.telling);
  }
  mayMove(): boolean {
    return this.mayRun() && this.retrying.waiting === 0;
  }

  move(watermark: number, idle: boolean): void {
    this.#moving = true;
    this.unhindered = false;
    const grown = watermark > this.#watermark;
    this.#watermark = watermark;
    const then = () => this.#moved(watermark, idle, grown);
    if (this.#state === undefined || !grown) then();
    else this.#state.advance(watermark, then);
  }

  /** All timers up to the watermark have been told. */
  #moved(watermark: number, idle: boolean, grown: boolean): void {
    if (grown && this.#code.watermark !== undefined) {
      const { gate } = this.#station;
      if (gate.closed) return gate.whenOpen(() => this.#moved(watermark, idle, grown));
      this.#endure(this.#lifecycle(() => this.#code.watermark!(watermark), this.#timeAt(watermark)));
    }
    for (const output of this.outputs) output.advance(watermark, idle);
    this.#moving = false;
    this.behind.drain();
  }

  /** All before the barrier is done, and nothing behind it: what the bolt gathers itself it gives on, and what it keeps is saved. */
  cut(barrier: Barrier): void {
    this.#moving = true;
    this.unhindered = false;
    if (this.#code.flush === undefined) this.#passOn(barrier);
    else this.#flushToCut(barrier, 0);
  }

  /** What the bolt cannot give on no checkpoint would have: after the last retry the topology stops. */
  #flushToCut(barrier: Barrier, failures: number): void {
    const { worker, gate } = this.#station;
    if (worker.dead) return;
    if (gate.closed) return gate.whenOpen(() => this.#flushToCut(barrier, failures));
    const error = this.#flush();
    if (error === undefined) return this.#passOn(barrier);
    const again = () => this.#flushToCut(barrier, failures + 1);
    if (!this.#station.retries(error.message, failures + 1, 'flushing again', again)) worker.fail(error);
  }

  #passOn(barrier: Barrier): void {
    const state = this.#state && { store: this.#state.keyed, watermark: this.#watermark };
    barrier.passed(this.#station.id, this.#index, state === undefined ? {} : { state });
    for (const output of this.outputs) output.barrier(barrier);
    this.#moving = false;
    this.behind.drain();
  }

  /** The event time of what is emitted at a watermark: at the end of time, that of the last one before it, and one more. */
  #timeAt(watermark: number): number {
    if (Number.isFinite(watermark)) {
      this.#lastTime = watermark;
      return watermark;
    }
    return this.#lastTime + 1;
  }

  /** One input, where something may be in its way. */
  receive(port: SyncPort, value: unknown, time: number, key: Key | undefined): void {
    if (!this.isFree) return this.behind.push(port, value, time, key);
    this.unhindered = this.retrying.waiting === 0;
    this.run(port, value, time, key);
  }

  run(port: SyncPort, value: unknown, time: number, key: Key | undefined): void {
    if (this.retrying.waiting > 0 && this.retrying.holdsBack(port, value, time, key)) return;
    this.runNow(port, value, time, key);
  }

  /** One input, as the first try. The hot path. */
  runNow(port: SyncPort, value: unknown, time: number, key: Key | undefined): void {
    this.stopwatch.in(this.metrics);
    this.metrics.ended++;
    if (this.#state !== undefined) this.#state.keyed.enter(key);
    try {
      this.#execute(port.execute, value, time, key);
    } catch (thrown) {
      this.#undo();
      this.unhindered = false;
      this.retrying.failed(this.retrying.begin(port, value, time, key), thrown);
      return;
    }
    this.metrics.acked++;
    this.#commit(port, value);
  }

  /** The timers that were due have been told: what waited for that goes on. */
  #told(): void {
    const { timers } = this.#station.worker.runtime;
    for (const input of this.#retries.splice(0)) timers.soon(() => this.retrying.resume(input));
    this.behind.drain();
  }

  #again(input: Waiting<SyncPort>): Ran {
    if (!this.mayRun()) {
      this.#retries.push(input);
      return 'suspended';
    }
    this.stopwatch.in(this.metrics);
    this.metrics.ended++;
    this.#state?.keyed.enter(input.key);
    try {
      this.#execute(input.port.execute, input.value, input.time, input.key);
    } catch (thrown) {
      this.#undo();
      this.retrying.failed(input, thrown);
      return 'failed';
    }
    this.metrics.acked++;
    this.#commit(input.port, input.value);
    return 'done';
  }

  /** Runs user code, in the step that the state has begun. What it asks for is collected, until `#commit` or `#undo`. */
  #execute(execute: Execute, value: unknown, time: number, key: Key | undefined): void {
    this.#time = time;
    this.#executing = true;
    const result = execute(value, time, key);
    if (result !== undefined) this.#refusePromise(result);
  }

  /** A step without an input. */
  #executeAlone(run: () => unknown, time: number): void {
    this.#alone = true;
    try {
      this.#execute(run, undefined, time, undefined);
    } catch (thrown) {
      this.#undo();
      throw thrown;
    } finally {
      this.#alone = false;
    }
    this.#commit(undefined, undefined);
  }

  #refusePromise(result: unknown): void {
    if (!(result instanceof Promise)) return;
    result.catch(() => {}); // its failure is reported by the error below
    throw new MillraceError('MR_EXECUTE_PROMISE', [this.#station.id]);
  }

  /** The step has ended well; of a step with an input, that input. */
  #commit(port: SyncPort | undefined, value: unknown): void {
    this.#executing = false;
    if (this.#state !== undefined) this.#state.keyed.commit();
    const { outputs } = this;
    for (let i = 0; i < outputs.length; i++) {
      const output = outputs[i]!;
      if (output.count > 0) output.deliver();
    }
    if (this.#rejected !== undefined) this.#loseRejected(this.#rejected, port, value);
    if (this.#state === undefined) return;
    this.#state.stepped();
    if (this.#state.telling) this.unhindered = false;
  }

  #undo(): void {
    this.#executing = false;
    this.#state?.keyed.undo();
    this.#rejected = undefined;
    for (const output of this.outputs) output.discard();
  }

  tick(time: number): void {
    this.#endure(this.#lifecycle(() => this.#code.tick!(time), time));
  }

  /** The handler of a timer, as the step that the state has begun for its key. */
  #tell({ name, time, key }: Fired): void {
    this.stopwatch.in(this.metrics);
    this.#executeAlone(() => this.#code.timer![name]!(time, key), time);
  }

  #reject(rejected: RejectedValue): void {
    if (!this.#executing || (this.#alone && rejected.of === undefined))
      throw new MillraceError('MR_REJECT_OUTSIDE', [this.#station.id]);
    this.#rejected ??= [];
    this.#rejected.push(rejected);
  }

  #loseRejected(rejected: readonly RejectedValue[], port: SyncPort | undefined, value: unknown): void {
    const { worker } = this.#station;
    this.#rejected = undefined;
    for (const { detail, cause, of: lost = { value, time: this.#time } } of rejected) {
      const place = { metrics: this.metrics, input: port?.input };
      worker.lose({ ...place, cause, detail, value: lost.value, time: lost.time }, worker.anchor);
    }
  }

  /**
   * A tick, flush or watermark: a step of its own, without a tuple. A bolt grouped by global() has its one key there, in
   * the task that owns it; its other tasks never have anything, and are not called if they would look for it. Gives back why
   * it failed.
   */
  #lifecycle(run: () => void, time: number): MillraceError | undefined {
    const { worker, component } = this.#station;
    const isGlobal = component.inputs.every((input) => input.grouping.kind === 'global');
    if (isGlobal && this.#index > 0 && this.#state !== undefined) return undefined;
    let failed: MillraceError | undefined;
    worker.stepAlone(undefined, () => {
      this.stopwatch.in(this.metrics);
      this.#state?.keyed.enter(isGlobal ? [] : undefined);
      try {
        this.#executeAlone(run, time);
      } catch (thrown) {
        this.metrics.errors++;
        failed = this.#station.userError(this.#index, thrown, '(tick, flush or watermark)');
      }
    });
    return failed;
  }

  /** A step that nothing is lost by leaving out. */
  #endure(failed: MillraceError | undefined): void {
    const { worker, component } = this.#station;
    if (failed !== undefined && !this.#station.stops(failed)) worker.options.log(component.id, failed.message);
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
    if (this.#task.unhindered) this.#task.runNow(this, value, time, key);
    else this.#task.receive(this, value, time, key);
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
