/**
 * A component on this worker: its counters, its gate, its error policy. Its tasks share them. `EngineTask` is what a
 * task offers to the engine, whatever kind of component it belongs to.
 */
import { MillraceError, messageOf } from '../errors.ts';
import type { KeyedStore } from '../state/keyed-store.ts';
import { SourceGroup } from '../time/source-group.ts';
import type { SourceTimeOptions } from '../time/source-time.ts';
import { SourceTime } from '../time/source-time.ts';
import type { Component } from '../topology/plan.ts';
import type { Resource, Task } from '../topology/task.ts';
import type { Alignment } from './alignment.ts';
import type { Port } from './edge.ts';
import type { TimeMerge } from './event-time.ts';
import type { Wait } from './explanation.ts';
import { asItIs, deepFreeze } from './freeze.ts';
import { Gate } from './gate.ts';
import { Metrics, StreamMetrics } from './metrics.ts';
import { Output } from './output.ts';
import type { ComponentMetrics } from './running.ts';
import type { SpoutTask } from './spout-task.ts';
import { timeMetrics } from './station-time.ts';
import type { Anchor } from './tree.ts';
import type { Worker } from './worker.ts';

/** How far event time has come in a task, what its watermark waits for, and what it keeps. */
export interface TaskTime {
  /** For its own code, and for those downstream. */
  readonly watermark: number;
  readonly waits: readonly Wait[];
  readonly state: KeyedStore | undefined;
}

export interface EngineTask {
  readonly outputs: readonly Output[];
  /** How far event time has come here; undefined for sinks, which do not ask. */
  readonly eventTime: TimeMerge | undefined;
  /** For people who ask why time stands still; undefined for sinks. */
  timeReport(): TaskTime | undefined;
  /** For the tasks that give it inputs: where inputs meet, tuples of the next epoch wait for the barriers of the others. */
  readonly alignment: Alignment;
  /** The port of an input (by name, where the component names its inputs). MR_MISSING_HANDLER if it has no handler. */
  port(input: string | undefined): Port;
  /** Opens what must be open before the first tuple. */
  open(): Promise<void>;
  /** Before the first input, once what was kept is restored: event time goes on from here (law 7). */
  resume?(watermark: number): void;
  /** Nothing waits here, runs, or is being retried. What a bolt holds until its next flush does not count. */
  readonly idle: boolean;
  readonly queued: number;
  /** Gives on what is held: when all upstream are idle, before a stop. No tick comes after it. */
  flush(): void;
  /** Releases what `open` took. `now`: no more user code than needed, nothing is finished. */
  close(now: boolean): Promise<void>;
}

const MAX_BACKOFF = 30_000;

export class Station {
  readonly component: Component;
  readonly worker: Worker;
  readonly metrics: Metrics;
  readonly gate: Gate;
  /** Tasks of a bolt or a sink; a spout has `spouts` instead. */
  readonly tasks: EngineTask[] = [];
  readonly spouts: SpoutTask[] = [];
  /** The id of its first task. */
  firstId = 0;
  /** What the event times of its spout tasks have in common. */
  readonly sources = new SourceGroup();
  /** Event time is followed here: this component, or one downstream of it, may ask for it. */
  readonly timed: boolean;
  /** In the order of declaration; shared by the outputs of all tasks. */
  readonly #streams: StreamMetrics[];
  readonly tasksOf: (component: string) => number;

  constructor(component: Component, worker: Worker, tasksOf: (component: string) => number, timed: boolean) {
    this.timed = timed;
    this.tasksOf = tasksOf;
    this.component = component;
    this.worker = worker;
    this.gate = new Gate(worker.runtime.timers, component.kind === 'spout');
    this.metrics = new Metrics(component.id, component.kind, component.settings.parallelism);
    this.#streams = component.streams.map(({ name }) => new StreamMetrics(name));
    this.metrics.streams.push(...this.#streams);
  }

  get id(): string {
    return this.component.id;
  }

  get freeze(): <T>(value: T) => T {
    return this.worker.options.freeze ? deepFreeze : asItIs;
  }

  /** One output per declared stream, for one task. */
  makeOutputs(): Output[] {
    const freeze = this.worker.options.freeze ? deepFreeze : undefined;
    return this.component.streams.map(({ direct }, i) => new Output(this.#streams[i]!, direct, freeze));
  }

  get queued(): number {
    return [...this.tasks, ...this.spouts].reduce((sum, task) => sum + task.queued, 0);
  }
  /** Something waits in front of its tasks, or is under way in them. */
  get isWorking(): boolean {
    return this.tasks.some((task) => task.queued > 0);
  }
  get pending(): number {
    return this.spouts.reduce((sum, task) => sum + task.pending, 0);
  }

  snapshot(now: number): ComponentMetrics {
    const { component } = this;
    const endsOnReturn = component.kind === 'bolt' && ['bolt', 'map', 'flatMap'].includes(component.code.kind);
    const load = { queued: this.queued, pending: this.pending };
    const time = timeMetrics(this, this.worker.runtime.clock.now());
    return { ...this.metrics.snapshot(now, load, endsOnReturn), ...time };
  }

  /** The event time of one task of a spout; undefined where nobody downstream asks for it. */
  sourceTime(
    splits: readonly string[],
    outputs: readonly Output[],
    { wake, align }: Pick<SourceTimeOptions, 'wake' | 'align'>,
  ): SourceTime | undefined {
    const { id, worker, sources } = this;
    const { clock, timers } = worker.runtime;
    if (!this.timed) return undefined;
    return new SourceTime({
      component: id,
      settings: this.component.settings.time!,
      splits,
      group: sources,
      clock,
      timers,
      wake,
      align,
      send: (watermark, idle) => {
        for (const output of outputs) output.advance(watermark, idle);
      },
      log: (text) => worker.options.log(id, text),
      failed: (thrown) =>
        worker.fail(new MillraceError('MR_SOURCE', [id, `time.watermark threw: ${messageOf(thrown)}`], thrown)),
    });
  }

  /** A record without an event time goes to the ledger; `given` is the time that its source gave it. */
  refuseTime(value: unknown, given: number, why: string, anchor: Anchor): void {
    const { worker, metrics } = this;
    const detail = `'${this.id}': ${why}`;
    worker.options.log(this.id, `${why}; given to the ledger`);
    const time = Number.isFinite(given) ? given : worker.runtime.clock.now();
    worker.lose({ metrics, input: undefined, cause: 'time', detail, value, time }, anchor);
  }

  /** What user code is given about its task. */
  taskContext(index: number, firstId: number): Task {
    const { runtime, options } = this.worker;
    return {
      topology: this.worker.topology,
      component: this.id,
      id: firstId + index,
      index,
      parallelism: this.component.settings.parallelism,
      now: () => runtime.clock.now(),
      random: runtime.random,
      log: (text) => options.log(this.id, text),
      tasksOf: this.tasksOf,
      use: <T>(resource: Resource<T>): T => {
        if (!options.resources.has(resource.name)) throw new MillraceError('MR_RESOURCE', [this.id, resource.name]);
        return options.resources.get(resource.name) as T;
      },
    };
  }

  /**
   * Something failed for the `attempt`th time: `again` is called after its backoff, unless the topology has ended. False
   * when the retries are used up. `what` will be done again, for the log.
   */
  retries(message: string, attempt: number, what: string, again: () => void): boolean {
    const { retries, backoff } = this.component.settings.onError;
    if (attempt > retries) return false;
    const { worker } = this;
    const wait = Math.min(MAX_BACKOFF, backoff * 2 ** (attempt - 1));
    worker.options.log(this.id, `${message}; ${what} in ${wait} ms`);
    worker.runtime.timers.after(wait, () => {
      if (!worker.dead) again();
    });
    return true;
  }

  /** The retries are used up: whether the policy stops the topology, which is done here. */
  stops(error: MillraceError): boolean {
    if (this.component.settings.onError.exhausted !== 'stop') return false;
    this.worker.fail(error);
    return true;
  }

  /** A spout's own code threw, `failures` times in a row: asked again, and after the last retry the topology stops. */
  sourceFailed(thrown: unknown, failures: number, again: () => void): void {
    this.metrics.errors++;
    const cause = messageOf(thrown);
    if (this.retries(cause, failures, 'asking the source again', again)) return;
    this.worker.fail(this.sourceError(thrown));
  }

  sourceError(thrown: unknown): MillraceError {
    return new MillraceError('MR_SOURCE', [this.id, messageOf(thrown)], thrown);
  }

  /** An exception of user code as an error that names the place and `input`, the value in one line. */
  userError(index: number, thrown: unknown, input: string): MillraceError<'MR_USER_CODE'> {
    return new MillraceError('MR_USER_CODE', [this.id, index, messageOf(thrown), input], thrown);
  }
}
