/** Value and reducing state: one value per key. */
import type { ReducingState, ValueState } from '../topology/state-spec.ts';
import type { Accept, Kept, Written } from './cells.ts';
import { Cells, timeOf } from './cells.ts';
import type { Entry } from './entry.ts';
import type { Lifetime } from './expiry.ts';
import type { Step } from './step.ts';

/** A value with a time to live. */
class Timed {
  readonly value: unknown;
  readonly written: number;
  constructor(value: unknown, written: number) {
    this.value = value;
    this.written = written;
  }
}

/** The cell that holds `undefined`. */
const UNDEFINED = Object.freeze({});

interface ValueOptions {
  readonly initial: unknown;
  readonly lifetime: Lifetime | undefined;
  readonly accept: Accept;
  readonly reduce: ((soFar: never, value: never) => unknown) | undefined;
}

export class ValueCells extends Cells {
  readonly handle: unknown;
  readonly empty: unknown;
  readonly #accept: Accept;

  constructor(step: Step, index: number, name: string, { initial, lifetime, accept, reduce }: ValueOptions) {
    super(step, index, name, lifetime);
    this.empty = initial;
    this.#accept = accept;
    const value: ValueState<unknown> = {
      get: () => this.get(),
      set: (value) => this.set(value),
      clear: () => this.clear(),
    };
    const reducing: ReducingState<unknown, unknown> = {
      get: () => this.get(),
      add: (value) => this.set(reduce!(this.get() as never, value as never)),
      clear: () => this.clear(),
    };
    this.handle = reduce === undefined ? value : reducing;
  }

  get(): unknown {
    const entry = this.step.seen(this.what);
    if (entry === undefined) return this.empty;
    const cell = entry.cell(this.index);
    if (cell === undefined) return this.empty;
    if (this.lifetime !== undefined) {
      const timed = cell as Timed;
      return this.lifetime.expired(timed.written) ? this.empty : timed.value;
    }
    return cell === UNDEFINED ? undefined : cell;
  }

  set(value: unknown): void {
    const mine = this.#accept(value);
    const entry = this.step.written(this.what);
    if (this.lifetime === undefined) this.replace(entry, mine === undefined ? UNDEFINED : mine);
    else this.#setTimed(entry, mine, this.lifetime);
  }

  #setTimed(entry: Entry, value: unknown, lifetime: Lifetime): void {
    const now = lifetime.now();
    this.replace(entry, new Timed(value, now));
    lifetime.schedule(entry, now);
  }

  save(cell: unknown): Kept | undefined {
    if (this.lifetime === undefined) return [cell === UNDEFINED ? undefined : cell];
    const { value, written } = cell as Timed;
    return this.lifetime.expired(written) ? undefined : [value, this.lifetime.dated(written)];
  }

  load(kept: unknown, written: Written): unknown {
    const value = this.#accept(kept);
    if (this.lifetime !== undefined) return new Timed(value, timeOf(written, this.lifetime));
    return value === undefined ? UNDEFINED : value;
  }

  end(cell: unknown): number {
    return this.lifetime!.end((cell as Timed).written);
  }

  swept(cell: unknown): unknown {
    return this.lifetime!.expired((cell as Timed).written) ? undefined : cell;
  }
}
