/** Aggregates that the user writes: `aggregate({ create, add, merge, result })` and `reduce(combine)`. */
import { MillraceError } from '../../errors.ts';
import type { Aggregate, WindowSpan } from './aggregate.ts';

export interface CustomAggregate<T, A, R> {
  /** The accumulator of no values: plain data. */
  readonly create: () => A;
  /** The accumulator with the value, in a new one: the one given is frozen. */
  readonly add: (accumulator: A, value: T, time: number) => A;
  /** That of both, in a new one. `create()` merged with another must give the same as that other alone. */
  readonly merge: (older: A, newer: A) => A;
  /** Default: the accumulator itself. */
  readonly result?: (accumulator: A, window: WindowSpan) => R;
}

/** An aggregate of your own. Its functions are pure: a step that fails is undone, and what they changed would not be. */
export function aggregate<T, A, R = A>(definition: CustomAggregate<T, A, R>): Aggregate<T, NoInfer<R>> {
  const { create, add, merge, result = (accumulator: A) => accumulator as unknown as R } = definition;
  for (const [name, given] of Object.entries({ create, add, merge, result })) {
    if (typeof given !== 'function') throw new MillraceError('MR_OPTION', ['aggregate', name, given, 'a function']);
  }
  return {
    name: 'aggregate',
    take: (value) => value,
    create: () => frozen(create()),
    add: (accumulator: A, value: T, time: number) => frozen(add(accumulator, value, time)),
    merge: (older: A, newer: A) => frozen(merge(older, newer)),
    result,
    pure: true,
    running: undefined,
  };
}

/** The values of the window made one by a function that is associative: `reduce((a, b) => (a.at > b.at ? a : b))`. */
export function reduce<T>(combine: (older: T, newer: T) => T): Aggregate<T, T> {
  type Kept = readonly [T] | readonly [];
  return aggregate<T, Kept, T>({
    create: () => [],
    add: ([so], value) => [so === undefined ? value : combine(so, value)],
    merge: (older, newer) => (older.length === 0 ? newer : newer.length === 0 ? older : [combine(older[0], newer[0])]),
    result: ([all]) => all as T,
  });
}

/** Finds out who changes an accumulator in place: TypeError at the line that does. */
function frozen<A>(accumulator: A): A {
  return Object.freeze(accumulator);
}
