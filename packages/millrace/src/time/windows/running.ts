/**
 * The aggregate of a window that slides over the panes of one key, at a constant number of merges for each pane that
 * comes in or goes out, however many there are in between. Nothing has to be invertible: the panes lie on two stacks.
 * The older one holds, for each pane, the aggregate from there to the stack's end; the newer one a single aggregate.
 * When the older one is used up, the newer one becomes the older. Accumulators that grow with their values are kept as
 * one total instead, to which panes are added and from which they are taken away.
 *
 * Derived from the panes, never saved. It must be thrown away when a pane changes that it has taken in, and when a
 * merge throws.
 */
import type { Aggregate } from '../aggregates/aggregate.ts';
import type { Accumulators, Columns } from './columns.ts';
import type { Pane } from './panes.ts';
import { firstFrom } from './panes.ts';

/** With so few panes, merging them all is as quick, and keeps nothing. */
const FEW = 4;

/** One aggregate over the panes of the window. */
interface Column {
  push(pane: Pane): void;
  /** The oldest pane has gone. */
  evict(pane: Pane): void;
  /** The newer stack becomes the older one, which is empty. */
  flip(panes: readonly Pane[]): void;
  total(): unknown;
}

export class Running {
  readonly #columns: readonly Column[];
  /** Panes of the window, and before `#head` some that have left it. */
  #panes: Pane[] = [];
  #head = 0;
  /** Where the newer stack begins. */
  #split = 0;
  /** Panes that start before this are in, or were. */
  #upTo = Number.NEGATIVE_INFINITY;

  constructor(columns: Columns<never>) {
    this.#columns = columns.aggregates.map((aggregate, index) =>
      aggregate.running === undefined ? new TwoStacks(aggregate, index) : new Total(aggregate, index),
    );
  }

  /** That of the panes from `start` to `end`, of which there is one at least. Neither may be less than at the last call. */
  over(panes: readonly Pane[], start: number, end: number): Accumulators {
    for (let i = firstFrom(panes, Math.max(start, this.#upTo)); i < panes.length && panes[i]!.start < end; i++) {
      const pane = panes[i]!;
      this.#panes.push(pane);
      for (const column of this.#columns) column.push(pane);
    }
    this.#upTo = end;
    while (this.#head < this.#panes.length && this.#panes[this.#head]!.start < start) this.#evict();
    return this.#columns.map((column) => column.total());
  }

  #evict(): void {
    if (this.#head === this.#split) {
      this.#panes = this.#panes.slice(this.#head);
      for (const column of this.#columns) column.flip(this.#panes);
      this.#head = 0;
      this.#split = this.#panes.length;
    }
    const pane = this.#panes[this.#head++]!;
    for (const column of this.#columns) column.evict(pane);
  }
}

class TwoStacks implements Column {
  readonly #aggregate: Aggregate<never, unknown>;
  readonly #index: number;
  /** Of the older stack, the oldest pane last. */
  #older: unknown[] = [];
  #newer: unknown;
  #hasNewer = false;

  constructor(aggregate: Aggregate<never, unknown>, index: number) {
    this.#aggregate = aggregate;
    this.#index = index;
  }

  push({ accumulators }: Pane): void {
    const pane = accumulators[this.#index];
    this.#newer = this.#hasNewer ? this.#aggregate.merge(this.#newer as never, pane as never) : pane;
    this.#hasNewer = true;
  }

  evict(): void {
    this.#older.pop();
  }

  flip(panes: readonly Pane[]): void {
    this.#older = [];
    this.#newer = undefined;
    this.#hasNewer = false;
    let soFar: unknown;
    for (let i = panes.length - 1; i >= 0; i--) {
      const pane = panes[i]!.accumulators[this.#index];
      soFar = i === panes.length - 1 ? pane : this.#aggregate.merge(pane as never, soFar as never);
      this.#older.push(soFar);
    }
  }

  total(): unknown {
    const { length } = this.#older;
    if (length === 0) return this.#newer;
    const older = this.#older[length - 1];
    return this.#hasNewer ? this.#aggregate.merge(older as never, this.#newer as never) : older;
  }
}

class Total implements Column {
  readonly #running: NonNullable<Aggregate<never, unknown>['running']>;
  readonly #index: number;
  readonly #total: unknown;

  constructor(aggregate: Aggregate<never, unknown>, index: number) {
    this.#running = aggregate.running!;
    this.#index = index;
    this.#total = aggregate.create();
  }

  push({ accumulators }: Pane): void {
    this.#running.absorb(this.#total as never, accumulators[this.#index] as never);
  }
  evict({ accumulators }: Pane): void {
    this.#running.remove(this.#total as never, accumulators[this.#index] as never);
  }
  flip(): void {}
  total(): unknown {
    return this.#total;
  }
}

/** One `Running` for each key whose windows have more than a few panes. */
export class RunningByKey<K extends object> {
  readonly #columns: Columns<never>;
  readonly #running = new WeakMap<K, Running>();

  constructor(columns: Columns<never>) {
    this.#columns = columns;
  }

  /** That of the panes from `start` to `end`, of which there is one at least. `kept` is the state that holds the panes. */
  over(kept: K, panes: readonly Pane[], start: number, end: number): Accumulators {
    let running = this.#running.get(kept);
    if (running === undefined) {
      const first = firstFrom(panes, start);
      const after = firstFrom(panes, end);
      if (after - first <= FEW) return this.#merged(panes, first, after);
      running = new Running(this.#columns);
      this.#running.set(kept, running);
    }
    try {
      return running.over(panes, start, end);
    } catch (thrown) {
      this.#running.delete(kept);
      throw thrown;
    }
  }

  /** A pane that may be taken in already has changed, or the window went back. */
  forget(kept: K): void {
    this.#running.delete(kept);
  }

  #merged(panes: readonly Pane[], first: number, after: number): Accumulators {
    let merged = panes[first]!.accumulators;
    for (let i = first + 1; i < after; i++) merged = this.#columns.merge(merged, panes[i]!.accumulators);
    return merged;
  }
}
