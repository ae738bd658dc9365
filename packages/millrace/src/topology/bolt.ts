/**
 * Bolts: components that take tuples and emit tuples. A plain function is the smallest one; `bolt` has state, ticks and
 * several streams; `flatMap` fans out; `asyncBolt` waits for promises; `manualBolt` holds tuples and acks them itself.
 */
import type { Duration } from '../duration.ts';
import type { DeclaredStream, Emit, Emits, Handles } from './emits.ts';
import { declaredStreams } from './emits.ts';
import type { Key } from './key.ts';
import { type } from './schema.ts';
import type { StateHandles, StateSpecs } from './state-spec.ts';
import type { Stream } from './stream.ts';
import type { Task } from './task.ts';
import type { TimerHandlers, TimerSpecs, Timers } from './timer-spec.ts';

export type Needed = 'no key' | 'a key: group by fields, keyBy or global';

/** `emit(value, time?)`: event time in milliseconds, by default that of the input, the tick, the timer or the watermark. */
export interface BoltTask<E, S, T> extends Task {
  readonly emit: Emit<E, [time?: number]>;
  readonly state: StateHandles<S>;
  readonly timers: Timers<T>;
  /** The task's event time: no record with this time or an earlier one is expected any more. −Infinity at first. */
  watermark(): number;
  /**
   * Gives the current input to the ledger: it came too late, or is not wanted. It counts as done. `of`: not the current
   * input, but a value that the bolt had kept; also in a timer, a tick or a flush.
   */
  reject(detail: string, cause?: RejectCause, of?: { readonly value: unknown; readonly time: number }): void;
}

export type RejectCause = 'late' | 'dropped' | 'error';

export interface Lifecycle {
  /** Every tick interval, with the wall-clock time. Never between the emit and the delivery of a tuple. */
  tick?(time: number): void;
  /** Event time has come to `time`, and all event timers up to it have been told. Infinity at the end of a bounded input. */
  watermark?(time: number): void;
  /** Before each checkpoint, and before a stop: emit what is held in memory. No checkpoint has what it does not give on. */
  flush?(): void;
  cleanup?(): void;
}

/** Any `execute`: annotate the value; time and key are known. Method syntax on purpose: a handler may narrow the key. */
type AnyHandler = { any(value: never, time: number, key: Key): void }['any'];
export type AnyExecute = AnyHandler | { readonly [input: string]: AnyHandler };

/** What `prepare` of a full bolt gives, apart from the types. */
export type BoltTaskCode = Lifecycle & {
  readonly execute: AnyExecute;
  readonly timer?: { readonly [name: string]: (time: number, key: Key) => void };
};

export type AsyncOrder = 'ordered' | 'perKey' | 'unordered';

/** What the engine runs, apart from the types: which kind of bolt, and its code. */
export type BoltCode =
  | {
      readonly kind: 'bolt';
      readonly state: StateSpecs;
      readonly timers: TimerSpecs;
      readonly prepare: (task: never) => BoltTaskCode;
    }
  | { readonly kind: 'map'; readonly each: (value: never, time: number, key: never) => unknown }
  | { readonly kind: 'flatMap'; readonly each: (value: never, time: number) => Iterable<unknown> }
  | {
      readonly kind: 'async';
      readonly concurrency: number;
      readonly order: AsyncOrder;
      readonly timeout: Duration | undefined;
      readonly execute: (value: never, call: AsyncCall) => Promise<unknown>;
    }
  | {
      readonly kind: 'manual';
      readonly prepare: (
        task: never,
      ) => Lifecycle & { readonly execute: (tuple: Tuple<never>) => void; readonly flush: () => void };
    };

/** A bolt with its types: X what it must be fed, H the streams it gives, N whether it needs a key. */
export interface Bolt<out X, out H, out N extends Needed = Needed> {
  readonly component: 'bolt';
  readonly streams: readonly DeclaredStream[];
  readonly tick: Duration | undefined;
  readonly code: BoltCode;
  /** Only for the compiler; undefined at run time. */
  readonly handles: H;
  readonly needs: N;
  readonly executes: X;
}

function make<X, H, N extends Needed>(emits: Emits, tick: Duration | undefined, code: BoltCode): Bolt<X, H, N> {
  return {
    component: 'bolt',
    streams: declaredStreams(emits),
    tick,
    code,
    handles: undefined as never,
    needs: undefined as never,
    executes: undefined as never,
  };
}

/**
 * The full bolt: acked when `execute` returns, failed when it throws (Storm's BasicBolt). Synchronous: that is what makes
 * an emit a call. What it emits and writes to its state takes effect when `execute` returns, or not at all (law 1).
 */
export function bolt<
  const E extends Emits = Record<never, never>,
  const S extends StateSpecs = Record<never, never>,
  X extends AnyExecute = AnyExecute,
  const T extends TimerSpecs = Record<never, never>,
>(definition: {
  readonly emits?: E;
  readonly state?: S;
  readonly timers?: T;
  readonly tick?: Duration;
  readonly prepare: (task: BoltTask<E, S, T>) => Lifecycle & TimerHandlers<T> & { readonly execute: X };
}): Bolt<X, Handles<E>, keyof S | keyof T extends never ? 'no key' : 'a key: group by fields, keyBy or global'> {
  const { emits = {}, state = {}, timers = {}, tick, prepare } = definition;
  return make(emits, tick, { kind: 'bolt', state, timers, prepare });
}

/** A bolt of one function: what it returns is emitted, `undefined` is not. `t.bolt` takes the function itself as well. */
export function map<I, O>(
  each: (value: I, time: number) => O,
): Bolt<(value: I, time: number) => void, Stream<Exclude<O, void | undefined>>, 'no key'> {
  return make(type<O>(), undefined, { kind: 'map', each });
}

/**
 * A bolt of one function that gives back none, one or many. A generator is pulled only as fast as downstream takes its
 * values, so its fan-out may be larger than memory; if it throws, a retry runs it again and skips what it already gave.
 */
export function flatMap<I, O>(
  each: (value: I, time: number) => Iterable<O>,
): Bolt<(value: I, time: number) => void, Stream<O>, 'no key'> {
  return make(type<O>(), undefined, { kind: 'flatMap', each });
}

export interface AsyncCall {
  /** Aborted at the time-out, and when the topology is killed. */
  readonly signal: AbortSignal;
  readonly time: number;
}

/**
 * Returns what it emits, so time, key and anchor are never in doubt. At most `concurrency` calls at once; `ordered`
 * (default) emits in the order of the inputs, `perKey` runs and emits one at a time per key, `unordered` as they finish.
 */
export function asyncBolt<I, O>(definition: {
  readonly concurrency: number;
  readonly order?: AsyncOrder;
  /** Per call; then its signal aborts and the input counts as failed. None by default. */
  readonly timeout?: Duration;
  readonly execute: (value: I, call: AsyncCall) => Promise<O>;
}): Bolt<(value: I) => void, Stream<Exclude<O, void | undefined>>, 'no key'> {
  const { concurrency, order = 'ordered', timeout, execute } = definition;
  return make(type<O>(), undefined, { kind: 'async', concurrency, order, timeout, execute });
}

/** One input of a manual bolt. Hand the same object back to `ack` or `fail`, or to `emit` as an anchor. */
export interface Tuple<out T> {
  readonly value: T;
  readonly time: number;
  readonly key: Key | undefined;
  /** The component that emitted it. */
  readonly source: string;
}

export interface ManualTask<E> extends Task {
  /** Anchored to the tuples given: each of them stays pending until what is emitted here is done, too. */
  readonly emit: Emit<E, [anchors: readonly Tuple<unknown>[], time?: number]>;
  ack(tuple: Tuple<unknown>): void;
  /** The spout tuples it came from fail and are replayed. */
  fail(tuple: Tuple<unknown>, cause?: unknown): void;
  /** Says that the tuple is still being worked on: its message timeout starts again. */
  resetTimeout(tuple: Tuple<unknown>): void;
}

/** Holds its tuples and acks or fails each itself (Storm's RichBolt), for batching. `flush` runs before each checkpoint and a stop, and when its holds fill up. */
export function manualBolt<I, const E extends Emits = Record<never, never>>(definition: {
  readonly emits?: E;
  readonly tick?: Duration;
  readonly prepare: (task: ManualTask<E>) => Lifecycle & {
    readonly execute: (tuple: Tuple<I>) => void;
    readonly flush: () => void;
  };
}): Bolt<(value: I) => void, Handles<E>, 'no key'> {
  return make(definition.emits ?? {}, definition.tick, { kind: 'manual', prepare: definition.prepare });
}
