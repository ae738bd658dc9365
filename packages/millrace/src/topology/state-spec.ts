/** State that a bolt declares: kept per key, given back in `prepare` as handles. In memory, and volatile, for now. */
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

export interface StateSpec<out H> {
  readonly kind: 'value' | 'list';
  readonly initial: unknown;
  /** Only for the compiler: the handle that `prepare` gets. */
  readonly handle?: H;
}
export type StateSpecs = { readonly [name: string]: StateSpec<unknown> };
export type StateHandles<S> = { readonly [N in keyof S]: S[N] extends StateSpec<infer H> ? H : never };

/** One value per key, `initial` until it is set. */
export function value<T>(initial: T): StateSpec<ValueState<T>> {
  return { kind: 'value', initial };
}
/** A list per key, empty at first. */
export function list<T>(_of: Schema<T>): StateSpec<ListState<T>> {
  return { kind: 'list', initial: Object.freeze([]) };
}
