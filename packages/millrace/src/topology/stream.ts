/** Streams and groupings: where a component's output goes, as plain data. The words and their meaning are Storm's. */
import type { Key } from './key.ts';

/** The fields of T that can be a key: of a union, those that all its members have. A primitive has none. */
export type FieldOf<T> = OrElse<
  [T] extends [object] ? { [F in keyof T]-?: T[F] extends Key ? F : never }[keyof T] & string : never,
  'a value without fields that can be a key needs keyBy((value) => key)'
>;
/** For the compiler to say something in place of `never`. */
type OrElse<F, Message> = [F] extends [never] ? Message : F;
type Keyed<V> = V extends Key ? V : never;
type KeyOfFields<T, F extends readonly unknown[]> = F extends readonly [infer One]
  ? Keyed<T[One & keyof T]>
  : { readonly [I in keyof F]: Keyed<T[F[I] & keyof T]> };

export type Grouping =
  | { readonly kind: 'shuffle' | 'localOrShuffle' | 'none' | 'all' | 'global' | 'direct' }
  | { readonly kind: 'fields'; readonly fields: readonly string[] }
  | { readonly kind: 'keyBy' | 'partialKey'; readonly key: (value: never) => unknown }
  | { readonly kind: 'custom'; readonly choose: (value: never, tasks: number) => number | readonly number[] };

/** Which stream of which component. */
export interface StreamId {
  readonly component: string;
  readonly stream: string;
}

/** One subscription: a stream and how its tuples are spread over the subscriber's tasks. */
export interface Input<out T, out K extends Key | undefined = Key | undefined> {
  readonly from: StreamId;
  readonly grouping: Grouping;
  /** Only for the compiler: what arrives, and its key. */
  readonly received?: T;
  readonly key?: K;
}

/** What a component emits under one name. Each method is one of Storm's groupings, and makes an input for a bolt or sink. */
export interface Stream<out T> extends StreamId {
  /** Round robin over the tasks, from a random start. */
  shuffle(): Input<T, undefined>;
  /** Tasks in the same worker if there are any, else shuffle. */
  localOrShuffle(): Input<T, undefined>;
  /** No promise at all; today a random task. */
  none(): Input<T, undefined>;
  /** Every task gets every tuple. */
  all(): Input<T, undefined>;
  /** One task gets all; keyed by the empty tuple, so it may hold state. */
  global(): Input<T, readonly []>;
  /** Tuples with equal fields go to one task, in order. One field is the key itself, several make a tuple. */
  fields<const F extends readonly [FieldOf<T>, ...FieldOf<T>[]], K extends Key = KeyOfFields<T, F>>(
    ...fields: F
  ): Input<T, NoInfer<K>>;
  /** Tuples with equal keys go to one task, in order. */
  keyBy<K extends Key>(key: (value: T) => K): Input<T, K>;
  /** Each key is split over two tasks, the less used one each time: for skewed keys. No state per key. */
  partialKey<K extends Key>(key: (value: T) => K): Input<T, undefined>;
  /** The task (or tasks) to send to, 0 to `tasks` − 1. */
  custom(choose: (value: T, tasks: number) => number | readonly number[]): Input<T, undefined>;
}

/** A stream declared with `direct(schema)`: the emitter names the receiving task. */
export interface DirectStream<out T> extends StreamId {
  direct(): Input<T, undefined>;
}

export type AnyStream = Stream<unknown> | DirectStream<unknown>;

/** The stream `from`, with every grouping as a method. The inputs it makes hold `from` itself, which tells builds apart. */
export function makeStream(from: StreamId): Stream<never> & DirectStream<never> {
  const input = (grouping: Grouping): Input<never, never> => ({ from, grouping });
  return {
    ...from,
    shuffle: () => input({ kind: 'shuffle' }),
    localOrShuffle: () => input({ kind: 'localOrShuffle' }),
    none: () => input({ kind: 'none' }),
    all: () => input({ kind: 'all' }),
    global: () => input({ kind: 'global' }),
    direct: () => input({ kind: 'direct' }),
    fields: (...fields: readonly string[]) => input({ kind: 'fields', fields }),
    keyBy: (key) => input({ kind: 'keyBy', key }),
    partialKey: (key) => input({ kind: 'partialKey', key }),
    custom: (choose) => input({ kind: 'custom', choose }),
  };
}
