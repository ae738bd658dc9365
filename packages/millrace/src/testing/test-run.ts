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
  /** Gives one value to a stream, as if its component had emitted it. `time`: event time in ms, by default the clock's. */
  feed<N extends keyof E & string>(stream: N, value: ValueOf<E[N]>, time?: number): void;
  /**
   * Event time has come so far, ms: event timers up to it are told, windows that end there close. Of all spouts, or of the
   * one whose stream is named. Infinity: the end of the input. It never goes back.
   */
  watermark(time: number, stream?: keyof E & string): Promise<void>;
  /** Lets virtual time pass: clock timers, ticks, time-outs, retries and promises go on in order. Rejects if the topology failed. */
  advance(by: Duration): Promise<void>;
  /** Lets promises go on without letting time pass. */
  settle(): Promise<void>;
  /** What came out on a stream since the last read. */
  read<N extends keyof E & string>(stream: N): ValueOf<E[N]>[];
  /** What a sink was to write since the last look, by the sink's name. */
  written(sink: string): unknown[];
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
  readonly #taps = new Map<string, unknown[]>();
  readonly #written = new Map<string, unknown[]>();
  readonly #waiting = new Map<Station, { output: Output; fed: Fed }[]>();
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
    this.#worker = new Worker(built.plan.name, engineOptions, (cause) => {
      this.#failure = cause;
    });
    this.#ends = built.ends;
    this.#stations = this.#runtime.within(() => this.#open(this.#withTestEnds(built)));
  }

  feed(stream: string, value: unknown, time: number = this.#runtime.clock.now()): void {
    const { station, output } = this.#end(stream);
    const fed = { value, time };
    const waiting = this.#waiting.get(station);
    if (waiting !== undefined) waiting.push({ output, fed });
    else this.#runtime.within(() => this.#send(station, output, fed));
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
    this.#runtime.within(() => {
      for (const { spouts } of stations)
        for (const { outputs } of spouts) for (const output of outputs) output.advance(time, false);
    });
    await this.settle();
  }

  read(stream: string): never[] {
    this.#end(stream);
    return this.#taps.get(stream)!.splice(0) as never[];
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
    const station = this.#stations.get(component);
    if (!station) throw new MillraceError('MR_UNKNOWN_COMPONENT', ['the test', component, [...this.#stations.keys()]]);
    this.#worker.stopwatch.stop();
    return station.snapshot(this.#runtime.clock.monotonic());
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
      const values: unknown[] = [];
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

  #send(station: Station, output: Output, fed: Fed): void {
    if (station.gate.closed) {
      this.#waiting.set(station, [{ output, fed }]);
      station.gate.whenOpen(() => this.#sendWaiting(station));
      return;
    }
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

  #sendWaiting(station: Station): void {
    const waiting = this.#waiting.get(station) ?? [];
    this.#waiting.delete(station);
    for (const { output, fed } of waiting) {
      const again = this.#waiting.get(station);
      if (again !== undefined) again.push({ output, fed });
      else this.#send(station, output, fed);
    }
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** Writes down what a stream carries. */
class Tap implements Edge {
  readonly #values: unknown[];
  constructor(values: unknown[]) {
    this.#values = values;
  }
  send({ values, count }: Output): number {
    for (let i = 0; i < count; i++) this.#values.push(values[i]);
    return 0;
  }
}
