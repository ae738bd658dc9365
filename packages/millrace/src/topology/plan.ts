/** The graph of a topology: its components with their code, the checks that make it sound, and its plain-data plan. */
import { MillraceError } from '../errors.ts';
import type { BoltCode } from './bolt.ts';
import type { DeclaredStream } from './emits.ts';
import type { Settings, TimeSettings } from './options.ts';
import { checkCount, checkDuration, timeSettings } from './options.ts';
import { fieldsOf } from './schema.ts';
import type { Batch, Sink, SinkMode } from './sink.ts';
import type { SpoutCode } from './spout.ts';
import type { Input, StreamId } from './stream.ts';

export interface NamedInput extends Input<unknown> {
  /** Undefined for the one input of a component that does not name its inputs. */
  readonly name: string | undefined;
}

interface Common {
  readonly id: string;
  readonly streams: readonly DeclaredStream[];
  readonly inputs: readonly NamedInput[];
  readonly settings: Settings;
}
/** A component as the engine runs it. */
export type Component =
  | (Common & { readonly kind: 'spout'; readonly code: SpoutCode })
  | (Common & { readonly kind: 'bolt'; readonly code: BoltCode })
  | (Common & { readonly kind: 'sink'; readonly sink: Sink<never> });

/** A component as plain data: no code, nothing that JSON cannot hold. */
export interface PlanComponent {
  readonly id: string;
  readonly kind: 'spout' | 'bolt' | 'sink';
  /** Queue or log for a spout; which kind of bolt; how a sink publishes. */
  readonly variant: SpoutCode['kind'] | BoltCode['kind'] | SinkMode;
  readonly parallelism: number;
  readonly tick?: number;
  /** Where a spout's event time differs from the default; a function of the user's is `true`. */
  readonly time?: { readonly [setting: string]: number | string | true };
  readonly streams: readonly string[];
  readonly inputs: readonly {
    readonly name?: string;
    readonly component: string;
    readonly stream: string;
    readonly grouping: string;
    readonly fields?: readonly string[];
  }[];
}
export interface Plan {
  readonly name: string;
  readonly components: readonly PlanComponent[];
}

export function planOf(name: string, components: ReadonlyMap<string, Component>): Plan {
  return { name, components: [...components.values()].map(planComponent) };
}

function planComponent(component: Component): PlanComponent {
  const { id, kind, settings, streams, inputs } = component;
  return {
    id,
    kind,
    variant: component.kind === 'sink' ? component.sink.mode : component.code.kind,
    parallelism: settings.parallelism,
    ...(settings.tick === undefined ? {} : { tick: settings.tick }),
    ...(settings.time === undefined ? {} : planTime(id, settings.time)),
    streams: streams.map((s) => s.name),
    inputs: inputs.map(({ name, from, grouping }) => ({
      ...(name === undefined ? {} : { name }),
      component: from.component,
      stream: from.stream,
      grouping: grouping.kind,
      ...(grouping.kind === 'fields' ? { fields: grouping.fields } : {}),
    })),
  };
}

function planTime(id: string, time: TimeSettings): Pick<PlanComponent, 'time'> {
  const byDefault = Object.entries(timeSettings(id));
  const own = byDefault.flatMap(([name, usual]) => {
    const got = time[name as keyof TimeSettings];
    return got === undefined || got === usual ? [] : [[name, typeof got === 'function' ? true : got] as const];
  });
  return own.length === 0 ? {} : { time: Object.fromEntries(own) };
}

/** Refuses a graph that cannot run, naming the component and what to change. `own`: the streams of this build. */
export function checkComponents(
  topology: string,
  components: ReadonlyMap<string, Component>,
  own: ReadonlySet<StreamId>,
): void {
  for (const component of components.values()) {
    if (component.kind !== 'spout' && component.inputs.length === 0)
      throw new MillraceError('MR_NO_INPUT', [component.id]);
    for (const input of component.inputs) checkInput(component, input, components);
    if (component.kind === 'bolt') checkBolt(component.id, component.code, component.inputs);
    if (component.kind === 'sink') checkBatch(component.id, component.sink.batch);
  }
  checkCycles(topology, components);
  if (![...components.values()].some((c) => c.kind === 'spout')) throw new MillraceError('MR_NO_SPOUT', [topology]);
  checkOwn(components, own);
}

const placeOf = (component: Component, input: NamedInput): string =>
  input.name === undefined ? `'${component.id}'` : `input '${input.name}' of '${component.id}'`;

function checkInput(component: Component, input: NamedInput, components: ReadonlyMap<string, Component>): void {
  const where = placeOf(component, input);
  const source = components.get(input.from.component);
  if (!source) throw new MillraceError('MR_UNKNOWN_COMPONENT', [where, input.from.component, [...components.keys()]]);
  const stream = source.streams.find((s) => s.name === input.from.stream);
  if (!stream) {
    throw new MillraceError('MR_UNKNOWN_STREAM', [
      where,
      source.id,
      input.from.stream,
      source.streams.map((s) => s.name),
    ]);
  }
  if (stream.direct !== (input.grouping.kind === 'direct')) {
    const want = stream.direct
      ? 'direct(), as the stream is declared direct'
      : 'a grouping other than direct: declare the stream with direct(schema) first';
    throw new MillraceError('MR_OPTION', [
      component.id,
      `the grouping of ${source.id}.${stream.name}`,
      input.grouping.kind,
      want,
    ]);
  }
  if (input.grouping.kind === 'fields')
    checkFields(component.id, input.grouping.fields, `${source.id}.${stream.name}`, stream);
}

function checkFields(id: string, fields: readonly string[], from: string, stream: DeclaredStream): void {
  if (fields.length === 0)
    throw new MillraceError('MR_OPTION', [id, `the fields of ${from}`, fields, 'at least one field']);
  const known = fieldsOf(stream.schema);
  const unknown = known && fields.find((f) => !known.includes(f));
  if (unknown !== undefined) throw new MillraceError('MR_UNKNOWN_FIELD', [id, unknown, from, known ?? []]);
}

function checkBolt(id: string, code: BoltCode, inputs: readonly NamedInput[]): void {
  if (code.kind === 'async') {
    checkCount(id, 'concurrency', code.concurrency);
    if (code.timeout !== undefined) checkDuration(id, 'timeout', code.timeout, 1);
  }
  if (code.kind !== 'bolt' || Object.keys(code.state).length + Object.keys(code.timers).length === 0) return;
  for (const [name, domain] of Object.entries(code.timers)) {
    if (domain !== 'event' && domain !== 'clock')
      throw new MillraceError('MR_OPTION', [id, `timers.${name}`, domain, "'event' or 'clock'"]);
  }
  const keyed = ['fields', 'keyBy', 'global'];
  if (!inputs.every((input) => keyed.includes(input.grouping.kind)))
    throw new MillraceError('MR_STATE_WITHOUT_KEY', [id]);
}

function checkBatch(id: string, batch: Batch): void {
  checkCount(id, 'batch.size', batch.size);
  checkDuration(id, 'batch.every', batch.every, 0);
}

/** A stream kept from another build has the right name by chance only. So declaration order is topological order. */
function checkOwn(components: ReadonlyMap<string, Component>, own: ReadonlySet<StreamId>): void {
  for (const component of components.values()) {
    for (const input of component.inputs) {
      if (!own.has(input.from))
        throw new MillraceError('MR_FOREIGN_STREAM', [placeOf(component, input), input.from.component]);
    }
  }
}

function checkCycles(topology: string, components: ReadonlyMap<string, Component>): void {
  const done = new Set<string>();
  const visit = (id: string, path: readonly string[]): void => {
    if (path.includes(id))
      throw new MillraceError('MR_CYCLE', [topology, [...path.slice(path.indexOf(id)), id].reverse()]);
    if (done.has(id)) return;
    for (const { from } of components.get(id)!.inputs) visit(from.component, [...path, id]);
    done.add(id);
  };
  for (const id of components.keys()) visit(id, []);
}
