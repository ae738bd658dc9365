/**
 * Aggregates: what a window keeps of its values instead of the values themselves. An accumulator is plain data, so that
 * it can be kept in a checkpoint. All code of the user runs before anything is changed (law 1): `take` is given the value
 * first, and only then is what it took added, which cannot fail.
 */

/** Which window a result is of: `start ≤ t < end`. */
export interface WindowSpan {
  readonly start: number;
  readonly end: number;
}

/** Takes in values of type T and gives an R. Made by `count()`, `mean(of)`, `aggregate({ … })` and the like. */
export interface Aggregate<in T, out R> {
  /** What it is called: state that was kept for another one is not taken over. */
  readonly name: string;
  /** What is to be added of a value. Runs the user's function, and throws where that gives what cannot be added. */
  readonly take: (value: T, time: number) => unknown;
  /** The accumulator of no values. */
  readonly create: () => unknown;
  /** The accumulator with what was taken: the same, changed, or another. Never throws, unless it is `pure`. */
  readonly add: (accumulator: never, taken: never, time: number) => unknown;
  /** The accumulator of both, in a new one: neither is changed. */
  readonly merge: (older: never, newer: never) => unknown;
  /** Does not change the accumulator, nor give away what a later `add` would change. */
  readonly result: (accumulator: never, window: WindowSpan) => R;
  /** `add` is the user's: it may throw, and it gives a new accumulator instead of changing the one it was given. */
  readonly pure: boolean;
  /** For accumulators that grow with their values: a sum over panes that changes in place, and can be reduced again. */
  readonly running: RunningTotal | undefined;
}

interface RunningTotal {
  readonly absorb: (total: never, newest: never) => void;
  /** Takes back what was absorbed first. */
  readonly remove: (total: never, oldest: never) => void;
}

/** An aggregate with its types, as its file writes it. */
export interface AggregateCode<T, X, A, R> {
  take(value: T, time: number): X;
  create(): A;
  add(accumulator: A, taken: X, time: number): A;
  merge(older: A, newer: A): A;
  result(accumulator: A, window: WindowSpan): R;
  readonly running?: { absorb(total: A, newest: A): void; remove(total: A, oldest: A): void };
}

/** One of ours: only its `take` and `result` run code of the user. */
export function builtIn<T, X, A, R>(name: string, code: AggregateCode<T, X, A, R>): Aggregate<T, R> {
  const { take, create, add, merge, result, running } = code;
  return { name, take, create, add, merge, result, pure: false, running };
}
