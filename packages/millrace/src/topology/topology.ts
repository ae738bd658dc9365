/** `topology(name, define)`: the graph as plain data, checked when it is built. Building runs no user code but `define`. */
import { MillraceError } from '../errors.ts';
import type { Bolt, Needed } from './bolt.ts';
import { map } from './bolt.ts';
import type { DeclaredStream, EmitsNothing } from './emits.ts';
import { DEFAULT_STREAM } from './emits.ts';
import type { BoltOptions, SinkOptions, SpoutOptions } from './options.ts';
import { settings } from './options.ts';
import type { Component, NamedInput, Plan } from './plan.ts';
import { checkComponents, planOf } from './plan.ts';
import type { Schema } from './schema.ts';
import { validate } from './schema.ts';
import type { Sink, Takes } from './sink.ts';
import type { Spout } from './spout.ts';
import type { AnyStream, Input, Stream, StreamId } from './stream.ts';
import { makeStream } from './stream.ts';

export type Inputs = Input<unknown> | { readonly [name: string]: Input<unknown> };
type ValueOf<In> = In extends Input<infer T> ? T : { [N in keyof In]: ValueOf<In[N]> }[keyof In];
type KeyOf<In> = In extends Input<unknown, infer K> ? K : { [N in keyof In]: KeyOf<In[N]> }[keyof In];
type Handler<T, K> = (value: T, time: number, key: K) => void;
/** What a bolt must have for these inputs: one handler for all of them, or one per named input. */
export type Execute<In> =
  | Handler<ValueOf<In>, KeyOf<In>>
  | (In extends Input<unknown> ? never : { readonly [N in keyof In]: Handler<ValueOf<In[N]>, KeyOf<In[N]>> });
type Needs<In> = undefined extends KeyOf<In> ? 'no key' : Needed;
/** A function that only throws returns `never`, and is fine. */
/** What the compiler says of a stream that was handed over as it is. */
type Grouped<In> = In extends StreamId ? 'a stream needs a grouping: .shuffle(), .fields(…), .keyBy(…), …' : unknown;
type Sync<R> = [R] extends [never]
  ? unknown
  : R extends PromiseLike<unknown>
    ? 'an async function needs asyncBolt({ concurrency, execute })'
    : R extends Iterator<unknown>
      ? 'a generator function needs flatMap(function* (value) { … })'
      : unknown;
type Plain<In, R> = ((value: ValueOf<In>, time: number, key: KeyOf<In>) => R) & Sync<R>;
/**
 * A bolt has its handles H; a function has none, and gives the stream of what it returns, if it returns anything. What
 * the caller expects of a result must not pass for H or for a key: hence NoInfer, here and in `fields`.
 */
type Outputs<H, R> = [unknown] extends [H]
  ? [Exclude<R, void | undefined>] extends [never]
    ? EmitsNothing
    : Stream<Exclude<R, void | undefined>>
  : NoInfer<H>;

/** What a component gives on all its streams. */
type ValuesOf<H> = H extends Stream<infer T> ? T : { [N in keyof H]: ValuesOf<H[N]> }[keyof H];

export interface TopologyBuilder {
  spout<H>(id: string, spout: Spout<H>, options?: SpoutOptions<ValuesOf<H>>): H;
  /** A bolt, or a plain function `(value, time, key) => output`, subscribed to one input or to several by name. */
  bolt<const In extends Inputs | StreamId, H, R>(
    id: string,
    inputs: In & Grouped<In>,
    bolt: Plain<In, R> | Bolt<Execute<In>, H, Needs<In>>,
    options?: BoltOptions,
  ): Outputs<H, R>;
  sink<const In extends Input<unknown>>(
    id: string,
    input: In,
    sink: Sink<Takes<ValueOf<In>>>,
    options?: SinkOptions,
  ): void;
  /** The run's config (`--config`, `--set`), checked by the schema. The topology must follow from it alone. */
  config<T>(schema: Schema<T>): T;
}

/** Streams by name, for tests to feed and read. */
export type Ends = { readonly [name: string]: AnyStream };

export interface Built {
  readonly plan: Plan;
  /** In the order of declaration, which is also a topological order. */
  readonly components: ReadonlyMap<string, Component>;
  readonly ends: Ends;
}

export interface Topology<out E extends Ends | void = Ends | void> {
  readonly name: string;
  /** Pure: the same config gives the same graph, everywhere. */
  readonly build: (config?: unknown) => Built;
  /** Only for the compiler. */
  readonly ends?: E;
}

export function topology<E extends Ends | void>(name: string, define: (t: TopologyBuilder) => E): Topology<E> {
  checkName('topology', name);
  return { name, build: (config) => build(name, define, config) };
}

function build(name: string, define: (t: TopologyBuilder) => Ends | void, config: unknown): Built {
  const components = new Map<string, Component>();
  const own = new Set<StreamId>();
  const add = (component: Component): void => {
    checkName('component', component.id);
    for (const { name } of component.streams) checkName(`'${component.id}': stream`, name);
    if (components.has(component.id)) throw new MillraceError('MR_DUPLICATE_COMPONENT', [name, component.id]);
    components.set(component.id, component);
  };
  const streamOf = (component: string, stream: string): AnyStream => {
    const from = Object.freeze({ component, stream });
    own.add(from);
    return makeStream(from);
  };
  const builder = {
    spout(id: string, spout: Spout<unknown>, options: SpoutOptions = {}) {
      add({
        kind: 'spout',
        id,
        streams: spout.streams,
        code: spout.code,
        inputs: [],
        settings: settings(id, 'spout', options),
      });
      return handlesOf(id, spout.streams, streamOf);
    },
    bolt(
      id: string,
      inputs: Inputs,
      what: Bolt<unknown, unknown> | ((value: never, time: number) => unknown),
      options: BoltOptions = {},
    ) {
      const bolt = typeof what === 'function' ? map(what) : what;
      add({
        kind: 'bolt',
        id,
        streams: bolt.streams,
        code: bolt.code,
        inputs: namedInputs(id, inputs),
        settings: settings(id, 'bolt', options, bolt.tick),
      });
      return handlesOf(id, bolt.streams, streamOf);
    },
    sink(id: string, input: Input<unknown>, sink: Sink<never>, options: SinkOptions = {}) {
      add({
        kind: 'sink',
        id,
        streams: [],
        sink,
        inputs: namedInputs(id, input),
        settings: settings(id, 'sink', options),
      });
    },
    config: <T>(schema: Schema<T>): T => validate(schema, config ?? {}, `the config of topology '${name}'`),
  };
  const ends = define(builder as TopologyBuilder) ?? {};
  checkComponents(name, components, own);
  return { plan: planOf(name, components), components, ends };
}

/** One unnamed stream is given back as itself, several as a record. */
function handlesOf(
  id: string,
  streams: readonly DeclaredStream[],
  streamOf: (component: string, stream: string) => AnyStream,
): unknown {
  if (streams[0]?.name === DEFAULT_STREAM) return streamOf(id, DEFAULT_STREAM);
  return Object.fromEntries(streams.map(({ name }) => [name, streamOf(id, name)]));
}

function isInput(inputs: unknown): inputs is Input<unknown> {
  const from = (inputs as Partial<Input<unknown>> | null | undefined)?.from;
  return typeof from?.component === 'string' && typeof (inputs as Input<unknown>).grouping?.kind === 'string';
}

/** The inputs of component `id` with their names. What is no input, such as a stream without a grouping, is refused. */
function namedInputs(id: string, inputs: Inputs): readonly NamedInput[] {
  if (isInput(inputs)) return [{ name: undefined, ...inputs }];
  if (typeof inputs !== 'object' || inputs === null || typeof inputs.component === 'string')
    refuseInput(id, 'its input', inputs);
  return Object.entries(inputs).map(([name, input]) => {
    checkName(`'${id}': input`, name);
    return isInput(input) ? { name, ...input } : refuseInput(id, `its input '${name}'`, input);
  });
}

function refuseInput(id: string, option: string, got: unknown): never {
  throw new MillraceError('MR_OPTION', [id, option, got, 'a stream with a grouping, such as readings.shuffle()']);
}

function checkName(what: string, name: unknown): asserts name is string {
  if (typeof name !== 'string' || !/^(?!__)[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/.test(name)) {
    throw new MillraceError('MR_NAME', [what, String(name)]);
  }
}
