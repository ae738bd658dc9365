/**
 * The aggregates of a window, side by side. A value is added in three parts, so that a step that fails has changed
 * nothing (law 1): `take` and `stage` run the user's code, then `put` changes the accumulators, and cannot fail.
 */
import { MillraceError } from '../../errors.ts';
import type { Aggregate, WindowSpan } from '../aggregates/aggregate.ts';

export type Aggregates<in T = never> = { readonly [name: string]: Aggregate<T, unknown> };
/** One accumulator for each aggregate. */
export type Accumulators = unknown[];

export class Columns<in T> {
  readonly aggregates: readonly Aggregate<T, unknown>[];
  readonly #names: readonly string[];
  readonly #anyPure: boolean;
  /** Of the value that is being added, by column. */
  readonly #taken: unknown[];
  #time = 0;

  /** `unnamed` aggregates come after the others, and are in no result. */
  constructor(aggregates: Aggregates<T>, unnamed: readonly Aggregate<T, unknown>[] = []) {
    this.#names = Object.keys(aggregates);
    this.aggregates = [...Object.values(aggregates), ...unnamed];
    for (const [name, aggregate] of Object.entries(aggregates)) {
      if (typeof (aggregate as Partial<Aggregate<T, unknown>> | undefined)?.create === 'function') continue;
      const got: unknown = typeof aggregate === 'function' ? 'a function' : aggregate;
      throw new MillraceError('MR_OPTION', ['windowed', `'${name}'`, got, 'an aggregate, such as count()']);
    }
    this.#anyPure = this.aggregates.some(({ pure }) => pure);
    this.#taken = this.aggregates.map(() => undefined);
  }

  /** Begins to add a value. */
  take(value: T, time: number): void {
    const { aggregates } = this;
    for (let i = 0; i < aggregates.length; i++) this.#taken[i] = aggregates[i]!.take(value, time);
    this.#time = time;
  }

  /** What the user's own aggregates make of the accumulators and the value taken; undefined if there are none. */
  stage(accumulators: Accumulators): Accumulators | undefined {
    if (!this.#anyPure) return undefined;
    const staged: Accumulators = [];
    for (const [i, { pure, add }] of this.aggregates.entries()) {
      staged.push(pure ? add(accumulators[i] as never, this.#taken[i] as never, this.#time) : undefined);
    }
    return staged;
  }

  /** Adds the value taken, in place; `staged` is what `stage` gave for these accumulators. */
  put(accumulators: Accumulators, staged: Accumulators | undefined): void {
    const { aggregates } = this;
    for (let i = 0; i < aggregates.length; i++) {
      const aggregate = aggregates[i]!;
      accumulators[i] = aggregate.pure
        ? staged![i]
        : aggregate.add(accumulators[i] as never, this.#taken[i] as never, this.#time);
    }
  }

  create(): Accumulators {
    const { aggregates } = this;
    // Of its exact length: one that grows has room for 16 more, which counts where there are a million.
    const accumulators: Accumulators = new Array(aggregates.length);
    for (let i = 0; i < aggregates.length; i++) accumulators[i] = aggregates[i]!.create();
    return accumulators;
  }

  /** Those of the value taken alone. */
  single(): Accumulators {
    const accumulators = this.create();
    this.put(accumulators, this.stage(accumulators));
    return accumulators;
  }

  /** Those of both, in new ones. */
  merge(older: Accumulators, newer: Accumulators): Accumulators {
    const { aggregates } = this;
    const both: Accumulators = new Array(aggregates.length);
    for (let i = 0; i < aggregates.length; i++) both[i] = aggregates[i]!.merge(older[i] as never, newer[i] as never);
    return both;
  }

  /** Writes what the aggregates give into `result`, under their names. */
  results(result: { [name: string]: unknown }, accumulators: Accumulators, span: WindowSpan): void {
    const names = this.#names;
    for (let i = 0; i < names.length; i++) {
      result[names[i]!] = this.aggregates[i]!.result(accumulators[i] as never, span);
    }
  }
}
