/**
 * Windows of so many values of a key, in the order in which they come: a grid over positions instead of times, with the
 * panes of sliding windows. A result comes with the value that completes its window. It spans the times of its values:
 * `start` is the earliest, `end` − 1 the latest.
 */
import type { Key } from '../../topology/key.ts';
import { timeSpan } from '../aggregates/time-span.ts';
import type { Accumulators, Aggregates } from './columns.ts';
import { Columns } from './columns.ts';
import type { Grid } from './grid.ts';
import type { WindowOperator, WindowResult, WindowTask } from './operator.ts';
import { resultOf } from './operator.ts';
import { dropFirst, firstFrom, type Pane } from './panes.ts';
import { RunningByKey } from './running.ts';

/** What is kept of a key. */
export interface CountWindows {
  readonly panes: Pane[];
  /** The position of the next value. */
  next: number;
}

export class CountOperator<T> implements WindowOperator<T> {
  readonly timer = { due() {}, again() {}, early() {}, end() {} };
  readonly #task: WindowTask<T, CountWindows>;
  readonly #columns: Columns<T>;
  readonly #grid: Grid;
  readonly #running: RunningByKey<CountWindows>;

  constructor(task: WindowTask<T, CountWindows>, aggregates: Aggregates<T>, grid: Grid) {
    this.#task = task;
    this.#columns = new Columns<T>(aggregates, [timeSpan]);
    this.#grid = grid;
    this.#running = new RunningByKey(this.#columns);
  }

  execute(value: T, time: number, key: Key): void {
    const { kept: state } = this.#task;
    this.#columns.take(value, time);
    const before = state.get();
    const position = before?.next ?? 0;
    const start = this.#grid.pane(position);
    const there = before?.panes.at(-1);
    const isNew = there === undefined || there.start !== start;
    const pane = isNew ? { start, accumulators: this.#columns.create() } : there;
    const staged = this.#columns.stage(pane.accumulators);
    const end = position + 1;
    const completes = this.#grid.lastEndUpTo(end) === end;
    if (completes) this.#task.emit(this.#complete(key, before, end));

    // From here on nothing throws.
    const kept = before ?? { panes: [pane], next: 0 };
    state.set(kept);
    if (isNew && before !== undefined) kept.panes.push(pane);
    this.#columns.put(pane.accumulators, staged);
    kept.next = end;
    if (completes) this.#removeOver(kept, end);
  }

  /** The result of the window that ends with the value taken: that of the panes before it, with its own. */
  #complete(key: Key, kept: CountWindows | undefined, end: number): WindowResult {
    let all = this.#columns.single();
    const from = end - this.#grid.size;
    const open = kept?.panes.at(-1);
    if (kept !== undefined && open !== undefined) all = this.#columns.merge(this.#before(kept, open, from), all);
    const [earliest, latest] = all.at(-1) as readonly [number, number];
    return resultOf(this.#columns, key, { start: earliest, end: latest + 1 }, 'on time', all);
  }

  /** That of all panes: what is over is gone. The last one changes, so it is not for the running aggregate to take in. */
  #before(kept: CountWindows, open: Pane, from: number): Accumulators {
    if (kept.panes.length === 1) return open.accumulators;
    return this.#columns.merge(this.#running.over(kept, kept.panes, from, open.start), open.accumulators);
  }

  #removeOver(kept: CountWindows, end: number): void {
    dropFirst(kept.panes, firstFrom(kept.panes, end + this.#grid.slide - this.#grid.size));
    if (kept.panes.length === 0) this.#task.kept.clear();
  }
}
