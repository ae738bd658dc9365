/**
 * Topologies drawn at random for the property of exactly-once: bolts of every kind, with state, timers and windows, that
 * throw, delay and fan out as their values tell them to. What comes out of one follows from its input alone, however
 * the ways through it interleave and however many tasks there are; so two runs of it can be compared.
 */
import fc from 'fast-check';
import type { Tuple } from '../../index.ts';
import {
  asyncBolt,
  bolt,
  count,
  flatMap,
  list,
  logSpout,
  manualBolt,
  map,
  session,
  sink,
  sliding,
  sum,
  topology,
  tumbling,
  type,
  windowed,
} from '../../index.ts';
import type { Spout } from '../../topology/spout.ts';
import type { Input, Stream } from '../../topology/stream.ts';
import type { Topology } from '../../topology/topology.ts';
import { Table } from './pipeline.fixture.ts';

export interface Value {
  readonly key: number;
  /** Where it comes from, and by which way: 's0:3/map1.0/async2.0'. */
  readonly path: string;
  /** The way alone. Where each component on it keeps the order of a key, its values are in order by `places`. */
  readonly chain: string;
  readonly places: readonly number[];
  readonly inOrder: boolean;
}

const STATELESS = ['map', 'fan', 'generator', 'ordered', 'perKey', 'unordered', 'manual'] as const;
const WINDOWS = ['tumbling', 'sliding', 'session'] as const;
const STATEFUL = ['keep', 'delay', ...WINDOWS] as const;
type Kind = (typeof STATELESS)[number] | (typeof STATEFUL)[number];
const GROUPINGS = ['keyBy', 'keyBy', 'keyBy', 'global', 'shuffle', 'none'] as const;
type Grouping = (typeof GROUPINGS)[number];
const RETRIES = 2;
/** An event time after that of each record. */
const LAST = 1e12;

const from = (min: number, max: number) => fc.integer({ min, max });
const inputSpec = fc.record({ from: fc.nat(20), grouping: fc.constantFrom(...GROUPINGS) });
const boltSpec = fc.record({
  kind: fc.constantFrom<Kind[]>(...STATELESS, 'keep', ...STATEFUL),
  inputs: fc.array(inputSpec, { minLength: 1, maxLength: 2 }),
  queue: from(1, 6),
  concurrency: from(1, 4),
  /** Longest delay of a call, ms. */
  delay: from(0, 15),
  batch: from(1, 5),
  /** Percent of its inputs that throw, some of them each time. */
  poison: fc.constantFrom(0, 0, 20),
});
const sinkSpec = fc.record({ input: inputSpec, atOnce: fc.constantFrom(false, false, true) });
export const pipelineSpec = fc.record({
  splits: fc.array(from(0, 25), { minLength: 1, maxLength: 3 }),
  /** Longest time (ms) between two records of a split. */
  gap: from(0, 12),
  keys: from(1, 4),
  bolts: fc.array(boltSpec, { minLength: 1, maxLength: 5 }),
  sinks: fc.array(sinkSpec, { minLength: 1, maxLength: 2 }),
});
type Drawn<A> = A extends fc.Arbitrary<infer T> ? T : never;
export type PipelineSpec = Drawn<typeof pipelineSpec>;
type BoltSpec = Drawn<typeof boltSpec>;

/** Where a step is: throws if the value says so. */
type Step = (id: string, input: string, v: Value, percent: number) => void;

export class RandomPipeline {
  /** By sink, what was published, or written at once. */
  readonly tables = new Map<string, Table<Value>>();
  readonly sets = new Map<string, Set<string>>();
  /** What no bolt should see. */
  readonly violations: string[] = [];
  /** By split, how many records the last life has taken. */
  #taken = new Map<string, number>();
  /** Called by each write at once. */
  writing: () => void | Promise<void> = () => {};
  readonly #spec: PipelineSpec;
  /** The source ends after its last record. */
  readonly #ends: boolean;

  constructor(spec: PipelineSpec, ends: boolean) {
    this.#spec = spec;
    this.#ends = ends;
    for (const [i, { atOnce }] of spec.sinks.entries()) {
      if (atOnce) this.sets.set(`sink${i}`, new Set());
      else this.tables.set(`sink${i}`, new Table());
    }
  }

  /** The last life has taken all records. */
  get isTaken(): boolean {
    return this.#spec.splits.every((size, s) => this.#taken.get(`s${s}`) === size);
  }

  /** For one start; `tasks` says how many tasks the next component has. */
  build(tasks: () => number): Topology {
    const { bolts, sinks } = this.#spec;
    const taken = new Map<string, number>();
    this.#taken = taken;
    const step = stepping();
    const onError = { retries: RETRIES, backoff: 2 };
    return topology('random', (t) => {
      const streams: Stream<Value>[] = [
        t.spout('source', this.#source(taken), { parallelism: tasks(), time: { idle: '1d' } }),
      ];
      const inputOf = ({ from: at, grouping }: { from: number; grouping: Grouping }) =>
        grouped(streams[at % streams.length]!, grouping);
      for (const [i, spec] of bolts.entries()) {
        const id = `${spec.kind}${i + 1}`;
        // Each from another component: what comes twice by the same way could not be told apart.
        const inputs = [...new Map(spec.inputs.map((input) => [input.from % streams.length, input])).values()];
        const used = isWindow(spec.kind) ? inputs.slice(0, 1) : inputs;
        const edges = used.map(({ from: at, grouping }) => ({ from: at, grouping: edgeOf(spec.kind, grouping) }));
        const options = { parallelism: tasks(), queue: spec.queue, onError };
        if (isWindow(spec.kind)) {
          const shown = t.bolt(
            id,
            inputOf(edges[0]!) as never,
            windowsOf(spec.kind) as never,
            options,
          ) as Stream<Shown>;
          streams.push(t.bolt(`${id}-values`, shown.shuffle(), shownAsValue(id)) as never);
          continue;
        }
        const named = Object.fromEntries(edges.map((edge, n) => [`in${n}`, inputOf(edge)]));
        const inOrder = edges.every(({ grouping }) => grouping === 'keyBy' || grouping === 'global');
        const code = this.#code(id, spec, inOrder, Object.keys(named), step);
        streams.push(t.bolt(id, named as never, code as never, options) as never);
      }
      for (const [i, { input }] of sinks.entries()) {
        const id = `sink${i}`;
        const edge = inputOf({ from: input.from, grouping: 'keyBy' });
        const patient = { parallelism: tasks(), onError: { retries: 100, backoff: 1 } };
        t.sink(id, edge as never, (this.tables.get(id)?.sink ?? this.#writer(id)) as never, patient);
      }
    });
  }

  /** Its records come one after the other, at times that follow from their places. */
  #source(taken: Map<string, number>): Spout<Stream<Value>> {
    const { splits, gap, keys } = this.#spec;
    const timesOf = splits.map((size, s) => {
      let at = 0;
      return Array.from({ length: size }, (_, n) => (at += hash(`gap ${s}:${n}`) % (gap + 1)));
    });
    const record = (s: number, n: number): Value => {
      const key = hash(`key ${s}:${n}`) % keys;
      return { key, path: `s${s}:${n}`, chain: `s${s}`, places: [n], inOrder: true };
    };
    return logSpout<Value>({
      emits: type<Value>(),
      splits: () => splits.map((_, s) => `s${s}`),
      open: (task) => {
        const at = new Map<string, number>();
        const paused = new Set<string>();
        return {
          seek: (split, position) => void at.set(split, position ?? 0),
          pause: (split) => void paused.add(split),
          resume: (split) => void paused.delete(split),
          commit: async () => {},
          next: (max) => {
            let left = max;
            for (const split of task.splits) {
              const s = Number(split.slice(1));
              const times = timesOf[s]!;
              let n = at.get(split)!;
              for (; left > 0 && n < times.length && times[n]! <= task.now() && !paused.has(split); n++, left--)
                task.emit(split, n, n + 1, record(s, n), times[n]!);
              at.set(split, n);
              taken.set(split, n);
              if (n < times.length) setTimeout(task.wake, Math.max(0, times[n]! - task.now()));
              else if (this.#ends) task.endSplit(split);
            }
            return left === 0;
          },
        };
      },
    });
  }

  #code(id: string, spec: BoltSpec, inOrder: boolean, inputs: readonly string[], step: Step): unknown {
    const [input] = inputs;
    const { poison, delay, concurrency } = spec;
    const keeps = inOrder && spec.kind !== 'unordered' && spec.kind !== 'manual' && spec.kind !== 'delay';
    const child = (v: Value, i = 0): Value => ({
      ...v,
      path: `${v.path}/${id}.${i}`,
      chain: `${v.chain}/${id}`,
      places: [...v.places, i],
      inOrder: v.inOrder && keeps && inputs.length === 1,
    });
    const many = (v: Value) => Array.from({ length: hash(`${id} ${v.path}`) % 4 }, (_, i) => child(v, i));
    switch (spec.kind) {
      case 'map':
        return map((v: Value) => {
          step(id, input!, v, poison);
          return child(v);
        });
      case 'fan':
        return flatMap((v: Value) => {
          step(id, input!, v, poison);
          return many(v);
        });
      case 'generator':
        return flatMap(function* (v: Value) {
          yield child(v);
          step(id, input!, v, poison);
          for (let i = 1; i < 4; i++) yield child(v, i);
        });
      case 'keep':
        return this.#keep(id, poison, child, inputs, step);
      case 'delay':
        return delaying(id, poison, child, inputs, step);
      case 'manual':
        return batching(spec, child);
      default:
        return asyncBolt({
          concurrency,
          order: spec.kind as 'ordered' | 'perKey' | 'unordered',
          execute: async (v: Value) => {
            const ms = hash(`delay ${id} ${v.path}`) % (delay + 1);
            if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
            step(id, input!, v, poison);
            return child(v);
          },
        });
    }
  }

  /** Keeps all that it has seen, and tells of it at the end. */
  #keep(id: string, poison: number, child: (v: Value) => Value, inputs: readonly string[], step: Step): unknown {
    return bolt({
      emits: type<Value>(),
      state: { seen: list(type<string>()) },
      timers: { end: 'event' },
      prepare: ({ emit, state: { seen }, timers }) => {
        const execute = (input: string) => (v: Value) => {
          const what = `${input} ${v.path}`;
          if (seen.get().includes(what)) this.violations.push(`${id} has ${what} twice`);
          seen.append(what);
          timers.end.set(LAST);
          emit(child(v));
          step(id, input, v, poison);
        };
        return {
          execute: Object.fromEntries(inputs.map((input) => [input, execute(input)])),
          timer: {
            end: (_, key) => {
              const all = seen.get().toSorted();
              const text = `${id} ${JSON.stringify(key)}: ${all.length} ${hash(all.join())}`;
              emit({ key: typeof key === 'number' ? key : 0, path: text, chain: id, places: [], inOrder: false });
            },
          },
        };
      },
    });
  }

  #writer(id: string): unknown {
    return sink<Value>({
      mode: 'upsert',
      batch: { size: 4, every: 7 },
      write: async (values) => {
        await this.writing();
        for (const { path } of values) this.sets.get(id)!.add(path);
      },
    });
  }
}

/** Gives each value on some time later. */
function delaying(
  id: string,
  poison: number,
  child: (v: Value) => Value,
  inputs: readonly string[],
  step: Step,
): unknown {
  return bolt({
    emits: type<Value>(),
    state: { held: list(type<{ due: number; value: Value }>()) },
    timers: { due: 'event' },
    prepare: ({ emit, state: { held }, timers }) => {
      const execute = (input: string) => (v: Value, time: number) => {
        held.append({ due: time + 7, value: v });
        timers.due.set(time + 7);
        step(id, input, v, poison);
      };
      return {
        execute: Object.fromEntries(inputs.map((input) => [input, execute(input)])),
        timer: {
          due: (time) => {
            const rest = held.get().filter(({ due }) => due !== time);
            for (const { due, value } of held.get()) if (due === time) emit(child(value));
            held.clear();
            for (const each of rest) held.append(each);
          },
        },
      };
    },
  });
}

/** Gives on batches, some of them later. */
function batching({ batch }: BoltSpec, child: (v: Value) => Value): unknown {
  return manualBolt({
    emits: type<Value>(),
    prepare: ({ emit, ack }) => {
      const held: Tuple<Value>[] = [];
      const giveOn = (tuples: readonly Tuple<Value>[]) => {
        for (const tuple of tuples) {
          emit(child(tuple.value), [tuple]);
          ack(tuple);
        }
      };
      const flush = () => {
        const tuples = held.splice(0);
        if (tuples.length === 0) return;
        if (hash(`late ${tuples[0]!.value.path}`) % 3 > 0) giveOn(tuples);
        else setTimeout(() => giveOn(tuples), 5);
      };
      const execute = (tuple: Tuple<Value>) => {
        if (held.push(tuple) >= batch) flush();
      };
      return { execute, flush };
    },
  });
}

function windowsOf(kind: Kind): unknown {
  const assigner = kind === 'tumbling' ? tumbling(20) : kind === 'sliding' ? sliding(30, 10) : session<Value>(9);
  return windowed(assigner, { n: count(), paths: sum((v: Value) => hash(v.path)) });
}

type Shown = { key: unknown; start: number; end: number; timing: string; n: number; paths: number };

function shownAsValue(id: string): (shown: Shown) => Value {
  return ({ key, start, end, timing, n, paths }) => ({
    key: typeof key === 'number' ? key : 0,
    path: `${id} ${JSON.stringify(key)} ${start}-${end} ${timing}: ${n} ${paths}`,
    chain: id,
    places: [],
    inOrder: false,
  });
}

/** Some values throw when they come, once or twice in a life, or each time. */
function stepping(): Step {
  const thrown = new Map<string, number>();
  return (id, input, { path }, percent) => {
    const at = `${id} ${input} ${path}`;
    const chance = hash(`poison ${at}`);
    if (chance % 100 >= percent) return;
    const times = thrown.get(at) ?? 0;
    thrown.set(at, times + 1);
    const most = (chance >>> 8) % 3 === 0 ? Infinity : 1 + ((chance >>> 8) % RETRIES);
    if (times < most) throw new Error(`poison at ${id}`);
  };
}

const isWindow = (kind: Kind) => (WINDOWS as readonly string[]).includes(kind);

/** What has keyed state needs an edge with a key. */
function edgeOf(kind: Kind, grouping: Grouping): Grouping {
  return (STATEFUL as readonly string[]).includes(kind) && grouping !== 'global' ? 'keyBy' : grouping;
}

function grouped(stream: Stream<Value>, grouping: Grouping): Input<unknown> {
  return (grouping === 'keyBy' ? stream.keyBy((v) => v.key) : stream[grouping]()) as Input<unknown>;
}

/** FNV-1a, 32 bits, stirred. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
