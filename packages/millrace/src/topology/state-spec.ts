/** State that a bolt declares: kept per key, given back in `prepare` as handles. */
import type { Duration } from '../duration.ts';
import type { Schema } from './schema.ts';

/** One value per key. `set` makes the value the engine's: change it by setting another. */
export interface ValueState<T> {
  get(): T;
  set(value: T): void;
  clear(): void;
}
/** A list per key, oldest first. */
export interface ListState<T> {
  get(): readonly T[];
  append(value: T): void;
  /** Replaces the whole list. */
  set(values: readonly T[]): void;
  clear(): void;
}
/** A map per key, in the order in which its entries were first set. */
export interface MapState<K extends string | number, V> {
  get(name: K): V | undefined;
  has(name: K): boolean;
  set(name: K, value: V): void;
  delete(name: K): void;
  readonly size: number;
  keys(): Iterable<K>;
  entries(): Iterable<readonly [K, V]>;
  clear(): void;
}
/** One value per key that takes in others: the sum so far, the largest so far. */
export interface ReducingState<T, A> {
  get(): A;
  add(value: T): void;
  clear(): void;
}

/**
 * How long state lives after it was last written: as text or milliseconds by the clock, or by event time. Of a list or a
 * map each element has its own time.
 */
export type Ttl = Duration | { readonly event: Duration } | { readonly clock: Duration };

export interface StateOptions {
  /** Unlimited by default. What has expired is not seen any more, and is removed. */
  readonly ttl?: Ttl;
  /** Of the shape of what is kept; a positive integer, default 1. */
  readonly version?: number;
  /** What an older version kept, as this one keeps it. For a list or a map it is called with the whole array or Map. */
  readonly migrate?: (saved: never, version: number) => unknown;
}

export interface StateSpec<out H> {
  readonly kind: 'value' | 'list' | 'map' | 'reducing';
  readonly initial: unknown;
  readonly reduce: ((sum: never, value: never) => unknown) | undefined;
  /** Of the elements, where one was given. */
  readonly schema: Schema<unknown> | undefined;
  readonly options: StateOptions;
  /** Of our own operators: its values are changed in place. See `owned`. */
  readonly owned?: true;
  /** Only for the compiler: the handle that `prepare` gets. */
  readonly handle?: H;
}
export type StateSpecs = { readonly [name: string]: StateSpec<unknown> };
export type StateHandles<S> = { readonly [N in keyof S]: S[N] extends StateSpec<infer H> ? H : never };

/** One value per key, `initial` until it is set. */
export function value<T>(initial: T, options: StateOptions = {}): StateSpec<ValueState<T>> {
  return { kind: 'value', initial, reduce: undefined, schema: undefined, options };
}
/** A list per key, empty at first. */
export function list<T>(of: Schema<T>, options: StateOptions = {}): StateSpec<ListState<T>> {
  return { kind: 'list', initial: Object.freeze([]), reduce: undefined, schema: of, options };
}
/** A map per key, from strings or numbers to values, empty at first. */
export function mapOf<V, K extends string | number = string>(
  of: Schema<V>,
  options: StateOptions = {},
): StateSpec<MapState<K, V>> {
  return { kind: 'map', initial: undefined, reduce: undefined, schema: of, options };
}
/** One value per key, `initial` at first; `add(value)` makes it `reduce(so far, value)`, which gives back a new one. */
export function reducing<T, A>(
  initial: A,
  reduce: (soFar: A, value: T) => A,
  options: StateOptions = {},
): StateSpec<ReducingState<T, A>> {
  return { kind: 'reducing', initial, reduce, schema: undefined, options };
}

/**
 * For operators of ours whose accumulators are changed in place: values are not frozen, and undo puts back the reference
 * alone. So the operator calls `set` before it changes a value, does not throw after it has, and puts no object into a value twice.
 */
export function owned<H>(spec: StateSpec<H>): StateSpec<H> {
  return { ...spec, owned: true };
}
