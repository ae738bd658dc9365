/**
 * `testRun`: a topology in virtual time. No spout opens and no sink writes: a test feeds streams, lets time pass, and
 * reads what came out of streams and into sinks. The same test gives the same result every time. Values are deep-frozen.
 */
import type { Duration } from '../duration.ts';
import { assemble } from '../engine/assemble.ts';
import type { Edge } from '../engine/edge.ts';
import type { Output } from '../engine/output.ts';
import type { ComponentMetrics } from '../engine/running.ts';
import type { Station } from '../engine/station.ts';
import { OutsideRoot } from '../engine/tree.ts';
import { Worker } from '../engine/worker.ts';
import { MillraceError } from '../errors.ts';
import type { LedgerEntry } from '../ledger/ledger.ts';
import { memoryLedger } from '../ledger/memory.ts';
import type { SimulatedRuntime } from '../runtime/simulated.ts';
import { simulatedRuntime } from '../runtime/simulated.ts';
import type { KeyContent, KeyedStore } from '../state/keyed-store.ts';
import { Timestamps } from '../time/timestamps.ts';
import type { Key } from '../topology/key.ts';
import type { Component } from '../topology/plan.ts';
import type { Sink } from '../topology/sink.ts';
import { sink } from '../topology/sink.ts';
import type { DirectStream, Stream } from '../topology/stream.ts';
import type { Built, Ends, Topology } from '../topology/topology.ts';

type ValueOf<S> = S extends Stream<infer T> ? T : S extends DirectStream<infer T> ? T : never;

export interface TestRunOptions {
  /** What `t.config` is given. */
  readonly config?: unknown;
  /** Of all randomness, `Math.random` in bolts included. Default 1. */
  readonly seed?: number;
  /** The first wall-clock time in milliseconds since 1970. Default 0. */
  readonly start?: number;
  /** Encode and decode every value on every edge, as between workers. Default false. */
  readonly encodeEdges?: boolean;
}

export interface TestRun<E> {
  /**
   * Gives one value to a stream, as if its component had emitted it. `time`: event time in ms. Default: what the spout's
   * `time.from` says, else the clock's.
   */
  feed<N extends keyof E & string>(stream: N, value: ValueOf<E[N]>, time?: number): void;
  /**
   * Event time has come so far, ms: event timers up to it are told, windows that end there close. Of all spouts, or of the
   * one whose stream is named. Infinity: the end of the input. It never goes back.
   */
  watermark(time: number, stream?: keyof E & string): Promise<void>;
  /** The end of all inputs: event time goes to infinity, all windows close. */
  end(): Promise<void>;
  /** Lets virtual time pass: clock timers, ticks, time-outs, retries and promises go on in order. Rejects if the topology failed. */
  advance(by: Duration): Promise<void>;
  /** Lets promises go on without letting time pass. */
  settle(): Promise<void>;
  /** What came out on a stream since the last read. */
  read<N extends keyof E & string>(stream: N): ValueOf<E[N]>[];
  /** The same with their event times. */
  readTimed<N extends keyof E & string>(stream: N): [value: ValueOf<E[N]>, time: number][];
  /** What a sink was to write since the last look, by the sink's name. */
  written(sink: string): unknown[];
  /** What a component keeps for a key: its state by name, and its timers; undefined if nothing. */
  state(component: string, key: Key): KeyContent | undefined;
  /** The keys for which a component keeps state or timers. */
  keys(component: string): Key[];
  /** All entries of the ledger, oldest first. */
  ledger(): readonly LedgerEntry[];
  /** Virtual wall-clock time, milliseconds. */
  now(): number;
  metrics(component: string): ComponentMetrics;
  /** Lines that tasks and the engine have logged. */
  readonly log: readonly string[];
  /** Fed values whose tuple tree has ended well, and badly. */
  readonly acked: number;
  readonly failed: number;
}

export function testRun<E extends Ends | void>(topology: Topology<E>, options: TestRunOptions = {}): TestRun<E> {
  return new VirtualRun(topology.build(options.config), options) as TestRun<E>;
}

interface Fed {
  readonly value: unknown;
  readonly time: number;
}

class VirtualRun implements TestRun<Ends> {
  acked = 0;
  failed = 0;
  readonly log: string[] = [];
  readonly #runtime: SimulatedRuntime;
  readonly #ledger = memoryLedger();
  readonly #worker: Worker;
  readonly #stations: ReadonlyMap<string, Station>;
  readonly #ends: Ends;
  readonly #taps = new Map<string, [value: unknown, time: number][]>();
  readonly #written = new Map<string, unknown[]>();
  #failure: MillraceError | undefined;

  constructor(built: Built, { seed = 1, start = 0, encodeEdges = false }: TestRunOptions) {
    this.#runtime = simulatedRuntime({ seed, start });
    const engineOptions = {
      runtime: this.#runtime,
      ledger: this.#ledger,
      resources: new Map<string, unknown>(),
      guarantee: 'at-least-once' as const,
      freeze: true,
      encodeEdges,
      log: (component: string | undefined, text: string) =>
        void this.log.push(component ? `${component}: ${text}` : text),
    };
    this.#worker = new Worker(built.plan.name, engineOptions, 'acking', (cause) => {
      this.#failure = cause;
    });
    this.#ends = built.ends;
    this.#stations = this.#runtime.within(() => this.#open(this.#withTestEnds(built)));
  }

  feed(stream: string, value: unknown, given?: number): void {
    const { station, output } = this.#end(stream);
    const time = this.#timeOf(station, value, given);
    if (!Number.isNaN(time)) this.#inTurn(station, () => this.#send(output, { value, time }));
    this.#throwFailure();
  }

  async advance(by: Duration): Promise<void> {
    await this.#runtime.advance(by);
    this.#throwFailure();
  }

  async settle(): Promise<void> {
    await this.#runtime.settle();
    this.#throwFailure();
  }

  async watermark(time: number, stream?: string): Promise<void> {
    const stations = stream === undefined ? [...this.#stations.values()] : [this.#end(stream).station];
    if (stream !== undefined && stations[0]!.component.kind !== 'spout') {
      const want = "a stream of a spout: the others' watermarks follow from it";
      throw new MillraceError('MR_OPTION', ['the test', 'the stream of watermark', stream, want]);
    }
    for (const station of stations) {
      for (const { outputs } of station.spouts)
        this.#inTurn(station, () => {
          for (const output of outputs) output.advance(time, false);
        });
    }
    await this.settle();
  }

  async end(): Promise<void> {
    await this.watermark(Number.POSITIVE_INFINITY);
  }

  read(stream: string): never[] {
    return this.readTimed(stream).map(([value]) => value);
  }

  readTimed(stream: string): [value: never, time: number][] {
    this.#end(stream);
    return this.#taps.get(stream)!.splice(0) as [never, number][];
  }

  state(component: string, key: Key): KeyContent | undefined {
    for (const state of this.#states(component)) {
      const content = state.read(key);
      if (content !== undefined) return content;
    }
    return undefined;
  }

  keys(component: string): Key[] {
    return this.#states(component).flatMap((state) => [...state.keys()]);
  }

  written(sink: string): unknown[] {
    const values = this.#written.get(sink);
    if (values === undefined) {
      throw new MillraceError('MR_UNKNOWN_COMPONENT', ["the test's sink", sink, [...this.#written.keys()]]);
    }
    return values.splice(0);
  }

  ledger(): readonly LedgerEntry[] {
    return [...this.#ledger.list({ limit: Number.MAX_SAFE_INTEGER })].reverse();
  }

  now(): number {
    return this.#runtime.clock.now();
  }

  metrics(component: string): ComponentMetrics {
    const station = this.#station(component);
    this.#worker.stopwatch.stop();
    return station.snapshot(this.#runtime.clock.monotonic());
  }

  #station(component: string): Station {
    const station = this.#stations.get(component);
    if (!station) throw new MillraceError('MR_UNKNOWN_COMPONENT', ['the test', component, [...this.#stations.keys()]]);
    return station;
  }

  #states(component: string): readonly KeyedStore[] {
    return this.#station(component).tasks.flatMap((task) => task.timeReport()?.state ?? []);
  }

  /** The same graph with sinks that collect. */
  #withTestEnds(built: Built): Built {
    const components = new Map<string, Component>();
    for (const [id, component] of built.components) {
      components.set(id, component.kind === 'sink' ? { ...component, sink: this.#collector(id) } : component);
    }
    return { ...built, components };
  }

  #collector(id: string): Sink<never> {
    const values: unknown[] = [];
    this.#written.set(id, values);
    const write = (batch: readonly unknown[]) => void values.push(...batch);
    return sink<never>({ mode: 'append', batch: { size: 1, every: 0 }, write }) as Sink<never>;
  }

  #open(built: Built): ReadonlyMap<string, Station> {
    const stations = assemble(built, this.#worker, new Map(), () => {});
    for (const station of stations) for (const task of station.tasks) void task.open();
    const byId = new Map(stations.map((station) => [station.id, station]));
    for (const [name, { component, stream }] of Object.entries(this.#ends)) {
      const values: [value: unknown, time: number][] = [];
      this.#taps.set(name, values);
      const station = byId.get(component)!;
      const at = station.component.streams.findIndex((s) => s.name === stream);
      for (const { outputs } of [...station.tasks, ...station.spouts]) outputs[at]!.edges.push(new Tap(values));
    }
    return byId;
  }

  #end(name: string): { station: Station; output: Output } {
    const end = this.#ends[name];
    if (end === undefined) {
      const known = Object.keys(this.#ends);
      throw new MillraceError('MR_UNKNOWN_STREAM', ['the test', "what the topology's function returns", name, known]);
    }
    const station = this.#stations.get(end.component)!;
    const at = station.component.streams.findIndex((s) => s.name === end.stream);
    return { station, output: [...station.tasks, ...station.spouts][0]!.outputs[at]! };
  }

  /** NaN: it has none, and is in the ledger for it. How far ahead of the clock it is does not matter in virtual time. */
  #timeOf(station: Station, value: unknown, given: number | undefined): number {
    const { time } = station.component.settings;
    if (given !== undefined || time?.from === undefined) return given ?? this.#runtime.clock.now();
    const timestamps = Timestamps.for({ ...time, ahead: Number.POSITIVE_INFINITY }, true, this.#runtime.clock)!;
    const found = this.#runtime.within(() => timestamps.of(value, Number.NaN));
    if (Number.isNaN(found)) {
      const detail = timestamps.refusal;
      const lost = {
        metrics: station.metrics,
        input: undefined,
        cause: 'time',
        detail,
        value,
        time: this.now(),
      } as const;
      this.#worker.lose(lost, undefined);
    }
    return found;
  }

  /** At once, or when the queues downstream have room: whoever came first is first. */
  #inTurn({ gate }: Station, give: () => void): void {
    if (gate.closed) gate.whenOpen(give);
    else this.#runtime.within(give);
  }

  #send(output: Output, fed: Fed): void {
    const root = new OutsideRoot(this.#worker.stopwatch.now, (failed) => {
      if (failed) this.failed++;
      else this.acked++;
    });
    this.#worker.stepAlone(root, () => {
      output.add(fed.value, fed.time);
      output.deliver();
    });
    root.release();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** Writes down what a stream carries. */
class Tap implements Edge {
  readonly #values: [value: unknown, time: number][];
  constructor(values: [value: unknown, time: number][]) {
    this.#values = values;
  }
  send({ values, times, count }: Output): number {
    for (let i = 0; i < count; i++) this.#values.push([values[i], times[i]!]);
    return 0;
  }
}
