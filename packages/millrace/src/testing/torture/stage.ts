/**
 * One bolt in the engine, in virtual time, between a source that the test is and a downstream that it plays. With
 * `slot`, downstream takes one value at a time: its gate is closed until the test says that there is room again.
 */
import { structured } from '../../codec/structured.ts';
import { milliseconds } from '../../duration.ts';
import { assemble } from '../../engine/assemble.ts';
import type { Edge } from '../../engine/edge.ts';
import { Gate } from '../../engine/gate.ts';
import type { Output } from '../../engine/output.ts';
import type { EngineTask, Station } from '../../engine/station.ts';
import { OutsideRoot } from '../../engine/tree.ts';
import { Worker } from '../../engine/worker.ts';
import type { MillraceError } from '../../errors.ts';
import { messageOf } from '../../errors.ts';
import type { NewEntry } from '../../ledger/ledger.ts';
import { memoryLedger } from '../../ledger/memory.ts';
import type { SimulatedRuntime } from '../../runtime/simulated.ts';
import type { Key } from '../../topology/key.ts';
import { type } from '../../topology/schema.ts';
import { spout } from '../../topology/spout.ts';
import type { Stream } from '../../topology/stream.ts';
import { topology } from '../../topology/topology.ts';
import type { AnyBolt, KeyFunction, Probe, Tagged } from './probe.ts';
import type { Begun, Saved } from './saving.ts';
import { begun, finished, goOn, leastOf, resume, savedOf } from './saving.ts';

/** How inputs get to the bolt's tasks. */
export type KeyOf = ((value: never, input?: string) => Key) | 'global' | undefined;

/** One value that came out for a key; or, of a stream in parentheses, an input that went to the ledger. */
export interface Came {
  readonly key: Key | undefined;
  readonly stream: string;
  readonly value: unknown;
  readonly time: number;
}

export interface StageOptions {
  readonly bolt: AnyBolt;
  readonly probe: Probe;
  readonly key: KeyOf;
  /** Of what is fed. Undefined: the one input. */
  readonly inputs: readonly (string | undefined)[];
  readonly keyOf: KeyFunction;
  readonly parallelism: number;
  /** What its tasks are to have before they begin. */
  readonly goesOn?: { readonly saved: readonly Saved[]; readonly watermark: number };
  readonly slot: boolean;
  readonly encode: boolean;
  readonly runtime: SimulatedRuntime;
  /** What comes out is added here. */
  readonly came: Came[];
}

const silent = spout({ emits: type<unknown>(), open: () => ({ nextTuple: () => false }) });
/** More turns than that, and something asks to run again and again. */
const MOST_TURNS = 1e6;

export class Stage {
  readonly station: Station;
  readonly #options: StageOptions;
  readonly #worker: Worker;
  readonly #sources: ReadonlyMap<string | undefined, Output>;
  readonly #sourceGate: Gate;
  readonly #downstream: Gate;
  readonly #saved: Saved[] = [];
  #begun: Begun | undefined;
  #isFull = false;
  #passing = false;
  #failure: MillraceError | undefined;

  constructor(options: StageOptions) {
    this.#options = options;
    const { runtime, encode } = options;
    const engine = {
      runtime,
      ledger: { ...memoryLedger(), record: async (entry: NewEntry) => this.#lost(entry) },
      resources: new Map<string, unknown>(),
      guarantee: 'at-least-once' as const,
      freeze: true,
      encodeEdges: encode,
      log: () => {},
    };
    this.#worker = new Worker('torture', engine, 'acking', (cause) => {
      this.#failure = cause;
    });
    const stations = runtime.within(() => this.#open());
    this.station = stations.get('bolt')!;
    this.#downstream = new Gate(this.#worker.runtime.timers);
    this.#downstream.addUpstream(this.station.gate);
    const sources = [...stations.values()].filter(({ id }) => id !== 'bolt');
    this.#sourceGate = sources[0]!.gate;
    this.#sources = new Map(options.inputs.map((name, i) => [name, sources[i]!.spouts[0]!.outputs[0]!]));
    for (const { outputs } of this.station.tasks) {
      for (const [i, output] of outputs.entries())
        output.edges.push(this.#tap(this.station.component.streams[i]!.name));
    }
  }

  #open(): ReadonlyMap<string, Station> {
    const { probe, bolt, key, inputs, parallelism, goesOn } = this.#options;
    const built = topology('torture', (t) => {
      const grouped = inputs.map((name, i) => {
        const stream = t.spout(`input-${i}`, silent) as Stream<never>;
        if (key === undefined) return stream.shuffle();
        return key === 'global' ? stream.global() : stream.keyBy((value) => key(value, name));
      });
      const named = inputs[0] === undefined ? grouped[0]! : Object.fromEntries(inputs.map((n, i) => [n, grouped[i]!]));
      t.bolt('bolt', named as never, probe.watch(bolt) as never, { parallelism, onError: { backoff: 0 } });
    }).build();
    const stations = assemble(built, this.#worker, new Map(), () => {});
    for (const { tasks } of stations) {
      if (goesOn !== undefined) resume(tasks, goesOn.saved, goesOn.watermark);
      for (const task of tasks) void task.open();
    }
    return new Map(stations.map((station) => [station.id, station]));
  }

  /** Inputs of one name, as one batch. */
  feed(input: string | undefined, batch: readonly (readonly [value: unknown, time: number])[]): void {
    if (this.#begun !== undefined) goOn(this.#begun);
    const output = this.#sources.get(input)!;
    const root = new OutsideRoot(0, () => {});
    this.#within(() =>
      this.#worker.stepAlone(root, () => {
        for (const [value, time] of batch) output.add(value, time);
        output.deliver();
      }),
    );
    root.release();
  }

  watermark(time: number): void {
    if (this.#begun !== undefined) goOn(this.#begun);
    this.#within(() => {
      for (const output of this.#sources.values()) output.advance(time, false);
    });
  }

  /** What comes of its steps depends on when they are, so that none may wait. */
  get goesByClock(): boolean {
    const { code } = this.#options.bolt;
    return code.kind === 'bolt' && Object.values(code.timers).includes('clock');
  }

  /** Until the source may give something: downstream takes its values. `eager`: at the first moment. */
  async room(eager: boolean): Promise<void> {
    while (this.#sourceGate.closed) {
      this.#takeOne();
      if (!eager || this.#sourceGate.closed) await this.#options.runtime.settle();
    }
  }

  /** The clock goes on. Meanwhile downstream takes each value at once: what goes by the clock depends on how slow it is. */
  async pass(ms: number): Promise<void> {
    await this.quiet();
    this.#passing = true;
    await this.#options.runtime.advance(ms);
    this.#passing = false;
  }

  /** Until nothing is under way, and no timer is due by the clock. */
  async quiet(): Promise<void> {
    const { runtime } = this.#options;
    if (this.goesByClock) await runtime.settle();
    for (let left = MOST_TURNS; this.#isBusy && this.failure === undefined; left--) {
      if (left === 0) throw new Error('the bolt does not come to rest');
      this.#takeOne();
      await runtime.settle();
    }
  }

  /** What went wrong, if the run cannot go on: it is no result. */
  get failure(): string | undefined {
    const { failure } = this.#options.probe;
    return this.#failure?.message ?? (failure === undefined ? undefined : messageOf(failure));
  }

  /** Ticks count from a task's start: others would come, if it were not when one has just come. */
  get mayMove(): boolean {
    const { bolt, runtime } = this.#options;
    return bolt.tick === undefined || runtime.clock.now() % milliseconds(bolt.tick) === 0;
  }

  /** Takes a snapshot of what has changed since the last one. */
  async save(): Promise<void> {
    await this.quiet();
    this.#saved.push(...savedOf(this.#tasks, 'changes'));
  }

  /** Begins a snapshot that a crash will go back to. It goes on with each input and watermark. */
  async begin(): Promise<void> {
    await this.quiet();
    this.#begun = begun(this.#tasks, this.#options.came.length);
  }

  /** These tasks stop, and new ones, as many as that, go on with what they kept: each with its key groups (law 6). */
  async moved(parallelism: number): Promise<Stage> {
    await this.quiet();
    this.#flush();
    await this.quiet();
    const saved =
      this.#saved.length === 0 ? savedOf(this.#tasks, 'all') : [...this.#saved, ...savedOf(this.#tasks, 'changes')];
    const watermark = leastOf(this.#tasks);
    await this.#end();
    const next = this.#next(parallelism, saved, watermark);
    if (this.#saved.length > 0) next.#saved.push(...saved);
    return next;
  }

  /** These tasks are lost, and new ones start from the snapshot that was begun: what came since comes again. */
  async crashed(): Promise<Stage> {
    await this.quiet();
    const { watermark, came } = this.#begun!;
    const saved = finished(this.#begun!);
    await this.#end();
    this.#options.came.length = came;
    return this.#next(this.#tasks.length, saved, watermark);
  }

  /** The end of the run: all that is held comes out. */
  async close(): Promise<{ readonly keys: readonly Key[] }> {
    await this.quiet();
    this.#flush();
    await this.quiet();
    const keys = this.#tasks.flatMap((task) => {
      const state = task.timeReport()?.state;
      while (state?.sweep(1000));
      return [...(state?.keys() ?? [])];
    });
    await this.#end();
    return { keys };
  }

  get #tasks(): readonly EngineTask[] {
    return this.station.tasks;
  }

  #flush(): void {
    for (const task of this.#tasks) this.#within(() => task.flush());
  }

  #next(parallelism: number, saved: readonly Saved[], watermark: number): Stage {
    return new Stage({ ...this.#options, parallelism, goesOn: { saved, watermark } });
  }

  async #end(): Promise<void> {
    this.#worker.dead = true;
    this.#worker.cancelTimers();
    for (const task of this.#tasks) await this.#options.runtime.within(() => task.close(false));
  }

  /** Downstream has taken its value. */
  #takeOne(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#within(() => this.#downstream.roomAgain());
  }

  get #isBusy(): boolean {
    return this.#isFull || this.#tasks.some((task) => !task.idle);
  }

  #lost({ cause, detail, payload, time, input }: NewEntry): void {
    const { came, keyOf } = this.#options;
    const stream = cause === 'error' ? `(error: ${detail})` : `(ledger: ${cause})`;
    const value = payload === null ? undefined : structured.decode(payload);
    came.push({ key: payload === null ? undefined : keyOf(value, input), stream, value, time });
  }

  #within(run: () => void): void {
    this.#options.runtime.within(run);
  }

  #tap(stream: string): Edge {
    const { came, slot, encode } = this.#options;
    return {
      send: ({ values, times, count }) => {
        for (let i = 0; i < count; i++) {
          const { key, value } = values[i] as Tagged;
          came.push({
            key,
            stream,
            value: encode ? structured.decode(structured.encode(value)) : value,
            time: times[i]!,
          });
        }
        if (slot && !this.#isFull) {
          this.#isFull = true;
          this.#downstream.full();
          if (this.#passing) this.#options.runtime.timers.soon(() => this.#takeOne());
        }
        return count;
      },
    };
  }
}
