/**
 * For the property test: topologies drawn at random, with bolts that throw, delay, batch and fan out as their values tell
 * them to, and a model of what must come out of each. All that a bolt does follows from the value's path through the
 * graph, so the model needs no engine.
 */
import fc from 'fast-check';
import type { Bolt } from '../index.ts';
import { asyncBolt, bolt, flatMap, list, manualBolt, map, sink, topology, type } from '../index.ts';
import type { Tuple } from '../topology/bolt.ts';
import type { Input, Stream } from '../topology/stream.ts';
import type { Topology } from '../topology/topology.ts';
import { ArraySource } from './start-virtual.ts';

export interface Value {
  readonly split: string;
  readonly n: number;
  /** NaN is no key: such a value cannot pass a keyed edge. */
  readonly key: number;
  /** The components that made it, each with the place among what it made: 'split:n/flat.2/map.0'. */
  readonly path: string;
  /** The same without the places, and the places alone: values of one chain are in order when their places are. */
  readonly chain: string;
  readonly places: readonly number[];
}

const BOLTS = ['map', 'state', 'array', 'generator', 'ordered', 'perKey', 'unordered', 'manual'] as const;
const GROUPINGS = ['shuffle', 'keyBy', 'all', 'global', 'none', 'partialKey'] as const;
type Grouping = (typeof GROUPINGS)[number];
/** Retries of every component: an error that comes more often than this is for ever. */
const RETRIES = 2;

const count = (min: number, max: number) => fc.integer({ min, max });
const inputSpec = fc.record({ from: fc.nat(20), grouping: fc.constantFrom(...GROUPINGS, 'keyBy' as const) });
const boltSpec = fc.record({
  kind: fc.constantFrom(...BOLTS),
  inputs: fc.array(inputSpec, { minLength: 1, maxLength: 2 }),
  parallelism: count(1, 3),
  queue: count(1, 6),
  concurrency: count(1, 4),
  /** Longest delay of an asynchronous call, ms. */
  delay: count(0, 12),
  batch: count(1, 6),
  tick: fc.boolean(),
  /** Percent of its inputs that throw. */
  poison: fc.constantFrom(0, 0, 10, 40),
  /** A manual bolt fails some tuples, and the spout replays their records. */
  fails: fc.boolean(),
});
const sinkSpec = fc.record({
  input: inputSpec,
  parallelism: count(1, 2),
  size: count(1, 5),
  every: count(0, 20),
  /** How long a write takes, ms; undefined: it is synchronous. */
  delay: fc.option(count(0, 8), { nil: undefined }),
  poison: fc.constantFrom(0, 30),
});
export const topologySpec = fc.record({
  splits: fc.array(count(0, 20), { maxLength: 3 }),
  parallelism: count(1, 3),
  maxPending: count(1, 30),
  keys: count(1, 4),
  badKeys: fc.boolean(),
  bolts: fc.array(boltSpec, { minLength: 1, maxLength: 5 }),
  sinks: fc.array(sinkSpec, { minLength: 1, maxLength: 2 }),
  guarantee: fc.constantFrom('at-least-once' as const, 'at-least-once' as const, 'at-most-once' as const),
  /** How the first run ends; after 'stop' and 'kill' there is a second one. */
  end: fc.constantFrom('complete' as const, 'complete' as const, 'stop' as const, 'kill' as const),
  endAt: count(0, 60),
  seed: fc.nat(),
});
type Drawn<A> = A extends fc.Arbitrary<infer T> ? T : never;
export type TopologySpec = Drawn<typeof topologySpec>;
type BoltSpec = Drawn<typeof boltSpec>;
type SinkSpec = Drawn<typeof sinkSpec>;

/** What user code has seen, component by component. */
class Seen {
  calls = 0;
  throws = 0;
  ended = 0;
  emitted = 0;
}

interface Node {
  readonly id: string;
  readonly bolt: BoltSpec | undefined;
  readonly sink: SinkSpec | undefined;
  readonly inputs: readonly { readonly from: number; readonly grouping: Grouping }[];
}

/** What must come out: how often each value is written by each sink, and which records are lost where. */
export interface Expected {
  readonly written: Map<string, number>;
  readonly lost: Map<string, number>;
  /** Most values of one record that come to a component. */
  readonly fanOut: Map<string, number>;
}

export class RandomTopology {
  readonly spec: TopologySpec;
  /** Nothing is ever replayed: everything is to come out exactly once. */
  readonly exact: boolean;
  readonly source: ArraySource<Value>;
  readonly records: readonly (readonly Value[])[];
  readonly nodes: readonly Node[];
  readonly written: { readonly sink: string; readonly value: Value }[] = [];
  readonly trace: string[] = [];
  readonly violations: string[] = [];
  readonly seen = new Map<string, Seen>();
  readonly #thrown = new Map<string, number>();
  readonly #shadow = new Map<string, string[]>();

  constructor(spec: TopologySpec) {
    this.spec = spec;
    this.records = spec.splits.map((size, s) => Array.from({ length: size }, (_, n) => this.#record(s, n)));
    this.source = new ArraySource(
      type<Value>(),
      Object.fromEntries(this.records.map((records, s) => [`s${s}`, records])),
    );
    this.nodes = [
      { id: 'source', bolt: undefined, sink: undefined, inputs: [] },
      ...spec.bolts.map((b, i) => ({ id: `${b.kind}${i + 1}`, bolt: b, sink: undefined, inputs: inputsOf(b, i + 1) })),
      ...spec.sinks.map((s, i) => ({
        id: `sink${i}`,
        bolt: undefined,
        sink: s,
        inputs: [{ ...s.input, from: s.input.from % (spec.bolts.length + 1) }],
      })),
    ];
    for (const { id } of this.nodes) this.seen.set(id, new Seen());
    const fails = spec.bolts.some((b) => b.kind === 'manual' && b.fails);
    this.exact = !fails;
  }

  #record(s: number, n: number): Value {
    const { keys, badKeys } = this.spec;
    const chance = hash(`key${s}:${n}`);
    const key = badKeys && chance % 10 === 0 ? Number.NaN : chance % keys;
    return { split: `s${s}`, n, key, path: `s${s}:${n}`, chain: `s${s}`, places: [n] };
  }

  /** The topology, to be started once; a second call gives the same graph with empty state. */
  build(): Topology {
    this.#shadow.clear();
    const { spec } = this;
    return topology('random', (t) => {
      const streams: Stream<Value>[] = [
        t.spout('source', this.source.spout, {
          parallelism: spec.parallelism,
          maxPending: spec.maxPending,
          onError: { retries: RETRIES, backoff: 3 },
        }),
      ];
      for (const { id, bolt: b, sink: s, inputs } of this.nodes.slice(1)) {
        const named = Object.fromEntries(inputs.map((i) => [`from${i.from}`, grouped(streams[i.from]!, i.grouping)]));
        const onError = { retries: RETRIES, backoff: 2, exhausted: 'ledger' as const };
        if (b) {
          const tick = b.tick || b.kind === 'manual' ? { tick: 5 } : {};
          const options = { parallelism: b.parallelism, queue: b.queue, onError };
          const hasTick = b.kind === 'state' || b.kind === 'manual' ? tick : {};
          const code = this.#bolt(id, b, Object.keys(named));
          streams.push(t.bolt(id, named as never, code as never, { ...options, ...hasTick }) as never);
        } else {
          const options = { parallelism: s!.parallelism, onError };
          t.sink(id, Object.values(named)[0]! as never, this.#sink(id, s!) as never, options);
        }
      }
    });
  }

  #bolt(id: string, spec: BoltSpec, inputs: readonly string[]): Bolt<unknown, unknown> {
    const seen = this.seen.get(id)!;
    switch (spec.kind) {
      case 'map':
        return map((v: Value) => this.#step(id, v, spec.poison, () => this.#outputs(id, spec, v)[0])) as never;
      case 'state':
        return this.#stateful(id, spec, inputs);
      case 'array':
        return flatMap((v: Value) => this.#step(id, v, spec.poison, () => this.#outputs(id, spec, v))) as never;
      case 'generator': {
        const { outputs, poisoned } = { outputs: this.#outputs.bind(this), poisoned: this.#throwIfPoisoned.bind(this) };
        return flatMap(function* (v: Value) {
          seen.calls++;
          const values = outputs(id, spec, v);
          const breakAt = Math.min(values.length, hash(`break${v.path}`) % 4);
          for (const [i, value] of values.entries()) {
            if (i === breakAt) poisoned(id, v, spec.poison);
            yield value;
          }
          if (breakAt === values.length) poisoned(id, v, spec.poison);
          seen.ended++;
        }) as never;
      }
      case 'ordered':
      case 'perKey':
      case 'unordered':
        return asyncBolt({
          concurrency: spec.concurrency,
          order: spec.kind,
          execute: async (v: Value) => {
            const ms = hash(`delay${id}${v.path}`) % (spec.delay + 1);
            if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
            return this.#step(id, v, spec.poison, () => this.#outputs(id, spec, v)[0]);
          },
        }) as never;
      case 'manual':
        return this.#manual(id, spec);
    }
  }

  #stateful(id: string, spec: BoltSpec, inputs: readonly string[]): Bolt<unknown, unknown> {
    return bolt({
      emits: type<Value>(),
      state: { all: list(type<string>()) },
      prepare: ({ emit, state: { all } }) => {
        const execute = (v: Value, _time: number, key: unknown) => {
          const at = `${id} ${JSON.stringify(key)}`;
          const shadow = this.#shadow.get(at) ?? [];
          if (all.get().join() !== shadow.join())
            this.violations.push(`state of ${at}: ${all.get().join()} is not ${shadow.join()}`);
          all.append(v.path);
          this.#step(id, v, spec.poison, () => {
            for (const value of this.#outputs(id, spec, v)) emit(value);
          });
          this.#shadow.set(at, [...shadow, v.path]);
        };
        const handlers = Object.fromEntries(inputs.map((name) => [name, execute]));
        return { execute: handlers, tick: () => this.trace.push(`${id} ticks`) };
      },
    }) as never;
  }

  #manual(id: string, spec: BoltSpec): Bolt<unknown, unknown> {
    return manualBolt({
      emits: type<Value>(),
      prepare: ({ emit, ack, fail, now }) => {
        let held: Tuple<Value>[] = [];
        const seen = this.seen.get(id)!;
        const giveOn = (batch: readonly Tuple<Value>[]) => {
          for (const tuple of batch) {
            const anchors = this.exact ? batch : [tuple];
            for (const value of this.#outputs(id, spec, tuple.value)) {
              emit(value, anchors as readonly Tuple<unknown>[], tuple.time);
            }
          }
          for (const tuple of batch) ack(tuple);
          seen.ended += batch.length;
        };
        const flush = () => {
          const batch = held;
          held = [];
          if (batch.length === 0) return;
          // Some batches are given on later, from a promise.
          if (hash(`late${batch[0]!.value.path}`) % 3 > 0) return giveOn(batch);
          setTimeout(() => giveOn(batch), 3);
        };
        return {
          execute: (tuple: Tuple<Value>) => {
            seen.calls++;
            this.trace.push(`${now()} ${id} ${tuple.value.path}`);
            if (spec.fails && this.#isPoisoned(id, tuple.value, 20)) fail(tuple, 'not now');
            else if (held.push(tuple) >= spec.batch) flush();
          },
          tick: flush,
          flush,
        };
      },
    }) as never;
  }

  #sink(id: string, spec: SinkSpec): unknown {
    const write = (values: readonly Value[]) => {
      this.#step(id, values[0]!, spec.poison, () => {
        for (const value of values) this.written.push({ sink: id, value });
      });
    };
    const later = async (values: readonly Value[]) => {
      await new Promise((resolve) => setTimeout(resolve, spec.delay));
      write(values);
    };
    return sink<Value>({
      mode: 'append',
      batch: { size: spec.size, every: spec.every },
      write: spec.delay === undefined ? write : later,
    });
  }

  /** One call of user code for a value: it throws if the value is poison to it, after having done its work. */
  #step<T>(id: string, v: Value, poison: number, work: () => T): T {
    const seen = this.seen.get(id)!;
    seen.calls++;
    this.trace.push(`${id} ${v.path}`);
    if (id.startsWith('sink')) this.#throwIfPoisoned(id, v, poison);
    const result = work();
    if (!id.startsWith('sink')) this.#throwIfPoisoned(id, v, poison);
    seen.ended++;
    return result;
  }

  #throwIfPoisoned(id: string, v: Value, percent: number): void {
    if (!this.#isPoisoned(id, v, percent)) return;
    this.seen.get(id)!.throws++;
    throw new Error(`poison ${v.path}`);
  }

  #isPoisoned(id: string, v: Value, percent: number): boolean {
    const times = throwsFor(id, v, percent);
    const at = `${id} ${v.path}`;
    const so = this.#thrown.get(at) ?? 0;
    if (so >= times) return false;
    this.#thrown.set(at, so + 1);
    return true;
  }

  #outputs(id: string, spec: BoltSpec, v: Value): Value[] {
    const many = spec.kind === 'array' || spec.kind === 'generator' ? hash(`fan${id}${v.path}`) % 4 : 1;
    return Array.from({ length: many }, (_, i) => ({
      ...v,
      path: `${v.path}/${id}.${i}`,
      chain: `${v.chain}/${id}`,
      places: [...v.places, i],
    }));
  }

  /** Walks every record through the graph. */
  expected(): Expected {
    const written = new Map<string, number>();
    const lost = new Map<string, number>();
    const fanOut = new Map<string, number>();
    let arrived = new Map<string, number>();
    const add = (to: Map<string, number>, at: string) => void to.set(at, (to.get(at) ?? 0) + 1);
    const arrive = (to: number, grouping: Grouping, v: Value): void => {
      const { id, bolt: b, sink: s } = this.nodes[to]!;
      const isKeyed = grouping === 'keyBy' || grouping === 'partialKey';
      if (isKeyed && Number.isNaN(v.key)) return add(lost, `${id} key ${v.path}`);
      const copies = grouping === 'all' ? (b ?? s)!.parallelism : 1;
      for (let copy = 0; copy < copies; copy++) {
        add(arrived, id);
        if (s) add(written, `${id} ${v.path}`);
        else leave(to, v);
      }
    };
    const leave = (from: number, v: Value): void => {
      const { id, bolt: b } = this.nodes[from]!;
      let values = this.#outputs(id, b!, v);
      if (b!.kind === 'manual') {
        if (b!.fails && throwsFor(id, v, 20) === Number.POSITIVE_INFINITY) return;
      } else if (throwsFor(id, v, b!.poison) === Number.POSITIVE_INFINITY) {
        add(lost, `${id} error ${v.path}`);
        values = b!.kind === 'generator' ? values.slice(0, hash(`break${v.path}`) % 4) : [];
      }
      for (const value of values) this.#toAll(from, value, arrive);
    };
    for (const record of this.records.flat()) {
      arrived = new Map();
      this.#toAll(0, record, arrive);
      for (const [id, n] of arrived) fanOut.set(id, Math.max(n, fanOut.get(id) ?? 0));
    }
    return { written, lost, fanOut };
  }

  #toAll(from: number, v: Value, arrive: (to: number, grouping: Grouping, v: Value) => void): void {
    this.nodes.forEach((node, to) => {
      for (const input of node.inputs) if (input.from === from) arrive(to, input.grouping, v);
    });
  }

  /** The chains on which a key keeps its order (law 2), each with the sink that it ends in. */
  isOrdered(sinkId: string, chain: string): boolean {
    const path = ['source', ...chain.split('/').slice(1), sinkId].map((id) => this.nodes.findIndex((n) => n.id === id));
    return path.slice(1).every((to, i) => {
      const { inputs, bolt: b } = this.nodes[to]!;
      const isKeyed = inputs.find(({ from }) => from === path[i])!.grouping === 'keyBy';
      return isKeyed && b?.kind !== 'unordered' && b?.kind !== 'manual';
    });
  }
}

/** How often a component throws at a value: for ever, or as often as its retries allow. */
function throwsFor(id: string, v: Value, percent: number): number {
  const chance = hash(`poison${id}${v.path}`);
  if (chance % 100 >= percent) return 0;
  // A sink fails whole batches: for ever would depend on what else is in the batch.
  if (id.startsWith('sink')) return 1;
  return chance % 7 === 0 ? Number.POSITIVE_INFINITY : 1 + (chance % RETRIES);
}

function inputsOf(spec: BoltSpec, at: number): Node['inputs'] {
  const seen = new Set<number>();
  const inputs = spec.inputs.map(({ from, grouping }) => {
    const keyed: Grouping = grouping === 'global' ? 'global' : 'keyBy';
    return { from: from % at, grouping: spec.kind === 'state' ? keyed : grouping };
  });
  return inputs.filter(({ from }) => !seen.has(from) && seen.add(from));
}

function grouped(stream: Stream<Value>, grouping: Grouping): Input<Value> {
  if (grouping === 'keyBy') return stream.keyBy((v) => v.key);
  if (grouping === 'partialKey') return stream.partialKey((v) => v.key);
  return stream[grouping]();
}

/** Of a text, 0 to 2^31 - 1: the chance that everything here is decided by. */
function hash(text: string): number {
  let h = 7;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x5bd1e995) ^ (h >>> 13);
  return (h ^ (h >>> 15)) & 0x7fffffff;
}
