/** What a component declares that it emits: one stream, or several by name. */
import { MillraceError } from '../errors.ts';
import type { Schema } from './schema.ts';
import type { DirectStream, Stream } from './stream.ts';

/** A schema whose stream is direct: each emit names the receiving task. */
export interface Direct<out T> {
  readonly direct: Schema<T>;
}
/** Declares a direct stream: `emits: { work: direct(type<Job>()) }`, `emit.work(task, job)`, `work.direct()`. */
export function direct<T>(schema: Schema<T>): Direct<T> {
  return { direct: schema };
}

export type NamedEmits = { readonly [stream: string]: Schema<unknown> | Direct<unknown> };
export type Emits = Schema<unknown> | NamedEmits;

type EmitOne<S, More extends unknown[]> =
  S extends Schema<infer T>
    ? (value: T, ...more: More) => void
    : S extends Direct<infer T>
      ? (task: number, value: T, ...more: More) => void
      : never;
/** `emit(value)` on the one stream, `emit.late(value)` on a named one: a plain function per stream, made once per task. */
export type Emit<E, More extends unknown[]> =
  E extends Schema<unknown>
    ? EmitOne<E, More>
    : keyof E extends never
      ? (declared: NoEmits) => never
      : { readonly [S in keyof E]: EmitOne<E[S], More> };

/** What the compiler says where nothing was declared. */
type NoEmits = 'to emit, declare it: `emits: type<T>()`, or `emits: { name: type<T>() }`';

type StreamOf<S> = S extends Schema<infer T> ? Stream<T> : S extends Direct<infer T> ? DirectStream<T> : never;
/** What a bolt without `emits` gives back: there is nothing to subscribe to. */
export interface EmitsNothing {
  readonly emits?: never;
}
/** What `t.spout` and `t.bolt` give back: the one stream, or a record of the named ones. */
export type Handles<E> =
  E extends Schema<infer T>
    ? Stream<T>
    : keyof E extends never
      ? EmitsNothing
      : { readonly [S in keyof E]: StreamOf<E[S]> };

/** What the one stream of `emits: schema` is called in the plan; no named stream may be called so. */
export const DEFAULT_STREAM = 'default';

export interface DeclaredStream {
  readonly name: string;
  readonly schema: Schema<unknown>;
  readonly direct: boolean;
}

/** The streams that a declaration names, in order. */
export function declaredStreams(emits: Emits): readonly DeclaredStream[] {
  if (isSchema(emits)) return [{ name: DEFAULT_STREAM, schema: emits, direct: false }];
  return Object.entries(emits).map(([name, of]) => {
    if (name === DEFAULT_STREAM) throw new MillraceError('MR_NAME', ['stream', name]);
    return isSchema(of) ? { name, schema: of, direct: false } : { name, schema: of.direct, direct: true };
  });
}

function isSchema(emits: Emits | Direct<unknown>): emits is Schema<unknown> {
  return '~standard' in emits;
}
