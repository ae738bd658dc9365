/**
 * The windows of `features`, for one key: per feature the panes of its grid, and the aggregate of those that are over,
 * which slides along (`RunningByKey`). An event is looked at first, without changing anything, and added then.
 */
import type { Aggregate } from './aggregates/aggregate.ts';
import type { WindowAssigner } from './windows/assigners.ts';
import type { Accumulators } from './windows/columns.ts';
import { Columns } from './windows/columns.ts';
import { Grid } from './windows/grid.ts';
import type { Pane } from './windows/panes.ts';
import { dropFirst, firstFrom } from './windows/panes.ts';
import { RunningByKey } from './windows/running.ts';

interface Over<in T> {
  readonly name: string;
  readonly window: WindowAssigner<unknown>;
  readonly aggregate: Aggregate<T, unknown>;
}

/** The panes of one feature, oldest first. */
interface FeatureKept {
  readonly panes: Pane[];
}

export class FeaturePanes<in T> {
  readonly #windows: readonly FeatureWindow<T>[];

  constructor(features: readonly Over<T>[]) {
    this.#windows = features.map((feature) => new FeatureWindow(feature));
  }

  /** Runs the functions of the user's that look at the event: what they throw is thrown. */
  check(event: T, time: number): void {
    for (const window of this.#windows) window.check(event, time);
  }

  empty(): FeatureKept[] {
    return this.#windows.map(() => ({ panes: [] }));
  }

  /** The first moment at which no window holds an event of this time. */
  end(time: number): number {
    let end = Number.NEGATIVE_INFINITY;
    for (const { grid } of this.#windows) end = Math.max(end, grid.lastEnd(time));
    return end;
  }

  /**
   * Writes into `result` what the windows say with this event. Gives back what adds the event, in place, and cannot fail;
   * panes are dropped then that no window of `from` or later has.
   */
  look(
    kept: readonly FeatureKept[],
    event: T,
    time: number,
    result: { [name: string]: unknown },
  ): (from: number) => void {
    const adds = this.#windows.map((window, i) => window.look(kept[i]!, event, time, result));
    return (from) => {
      for (const add of adds) add(from);
    };
  }
}

class FeatureWindow<in T> {
  readonly grid: Grid;
  readonly #columns: Columns<T>;
  readonly #running: RunningByKey<FeatureKept>;

  constructor({ name, window, aggregate }: Over<T>) {
    if (window.kind !== 'time') throw new TypeError(`a feature over ${window.kind} windows`);
    this.grid = new Grid(window.size, window.slide, window.offset);
    this.#columns = new Columns({ [name]: aggregate });
    this.#running = new RunningByKey(this.#columns);
  }

  check(event: T, time: number): void {
    this.#columns.take(event, time);
  }

  /** As that of `FeaturePanes`. What was taken of the event is what is added. */
  look(kept: FeatureKept, event: T, time: number, result: { [name: string]: unknown }): (from: number) => void {
    const columns = this.#columns;
    const { panes } = kept;
    const end = this.grid.firstEnd(time);
    const start = end - this.grid.size;
    const paneStart = this.grid.pane(time);
    const at = firstFrom(panes, paneStart);
    const own = panes[at]?.start === paneStart ? panes[at] : undefined;

    columns.take(event, time);
    const single = columns.single();
    const before = this.#before(kept, start, end, at, own);
    columns.results(result, before === undefined ? single : columns.merge(before, single), { start, end });
    const staged = own === undefined ? undefined : columns.stage(own.accumulators);

    return (from) => {
      if (own === undefined) {
        panes.splice(at, 0, { start: paneStart, accumulators: single });
      } else {
        columns.put(own.accumulators, staged);
      }
      if (at < panes.length - 1) this.#running.forget(kept);
      dropFirst(panes, firstFrom(panes, this.grid.firstEnd(from) - this.grid.size));
    };
  }

  /** The aggregate of what is in the window already; undefined if nothing is. */
  #before(kept: FeatureKept, start: number, end: number, at: number, own: Pane | undefined): Accumulators | undefined {
    const { panes } = kept;
    const isNewest = at >= panes.length - (own === undefined ? 0 : 1);
    if (!isNewest) {
      // An event older than the newest one: what came after it is in its window as well.
      let all: Accumulators | undefined;
      for (let i = firstFrom(panes, start); i < panes.length && panes[i]!.start < end; i++) {
        const { accumulators } = panes[i]!;
        all = all === undefined ? accumulators : this.#columns.merge(all, accumulators);
      }
      return all;
    }
    const older =
      firstFrom(panes, start) < at ? this.#running.over(kept, panes, start, panes[at - 1]!.start + 1) : undefined;
    if (own === undefined || older === undefined) return older ?? own?.accumulators;
    return this.#columns.merge(older, own.accumulators);
  }
}
