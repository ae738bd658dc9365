/**
 * Sliding windows whose values are kept in panes that all windows share: a value is added once, and a window's result
 * costs a constant number of merges, whatever size ÷ slide is (running.ts).
 *
 * A key has one `due` timer: at the next of its windows that holds something or, when all of its windows are over, at
 * the end of their allowed lateness. Each window is a step of its own, which sets the timer for the next.
 */
import type { Key } from '../../topology/key.ts';
import type { Appointed } from './appointments.ts';
import { Appointments } from './appointments.ts';
import type { Accumulators, Columns } from './columns.ts';
import type { Grid } from './grid.ts';
import type { FiringRules, Timing, WindowOperator, WindowResult, WindowTask } from './operator.ts';
import { END_OF_INPUT, NEVER, resultOf } from './operator.ts';
import { dropFirst, firstFrom, type Pane } from './panes.ts';
import { Running, RunningByKey } from './running.ts';

interface SharedPane extends Pane {
  /** It holds values that no early result has shown. */
  news: boolean;
}

/** What is kept of a key. */
export interface SlidingWindows extends Appointed {
  readonly panes: SharedPane[];
  /** The windows that end here or before are over, and have been shown. */
  shown: number;
  /** Ends of the first and the last window that late values have changed. */
  late: { from: number; to: number } | undefined;
}

export class SlidingOperator<T> implements WindowOperator<T> {
  readonly timer = {
    due: (time: number, key: Key) => this.#due(time, key),
    again: (time: number, key: Key) => this.#fire(time, key),
    early: (_: number, key: Key) => this.#early(key),
    end: (_: number, key: Key) => this.#end(key),
  };
  readonly #task: WindowTask<T, SlidingWindows>;
  readonly #rules: FiringRules;
  readonly #columns: Columns<T>;
  readonly #appointments: Appointments;
  readonly #grid: Grid;
  readonly #running: RunningByKey<SlidingWindows>;

  constructor(task: WindowTask<T, SlidingWindows>, grid: Grid) {
    this.#task = task;
    this.#rules = task.rules;
    this.#columns = task.columns;
    this.#appointments = new Appointments(task);
    this.#grid = grid;
    this.#running = new RunningByKey(task.columns);
  }

  execute(value: T, eventTime: number, _key: Key): void {
    const { byClock, lateness } = this.#rules;
    const time = byClock ? this.#task.now() : eventTime;
    const watermark = byClock ? Number.NEGATIVE_INFINITY : this.#task.watermark();
    const start = this.#grid.pane(time);
    const lastEnd = this.#grid.lastEnd(start);
    this.#columns.take(value, time);
    if (lastEnd - 1 + lateness <= watermark) return this.#task.late(value, time, lastEnd);

    const before = this.#task.kept.get();
    const at = before === undefined ? 0 : firstFrom(before.panes, start);
    const there = before?.panes[at];
    const isNew = there === undefined || there.start !== start;
    const pane = isNew ? { start, accumulators: this.#columns.create(), news: true } : there;
    const staged = this.#columns.stage(pane.accumulators);

    // From here on nothing throws.
    const kept = before ?? this.#begin(pane);
    this.#task.kept.set(kept);
    if (isNew && before !== undefined) kept.panes.splice(at, 0, pane);
    this.#columns.put(pane.accumulators, staged);
    pane.news = true;
    if (start < kept.shown) this.#running.forget(kept);
    this.#scheduleFor(kept, start, lastEnd, watermark);
    this.#appointments.scheduleEarly(kept);
  }

  #begin(pane: SharedPane): SlidingWindows {
    if (this.#rules.byClock) this.#task.timers.end.set(END_OF_INPUT);
    return { panes: [pane], shown: Number.NEGATIVE_INFINITY, late: undefined, due: NEVER, early: undefined };
  }

  /** The last end whose moment is not after `time`. */
  #endAt(time: number): number {
    return this.#grid.lastEndUpTo(this.#rules.byClock ? time : time + 1);
  }

  /** For the windows of a pane that a value has come to. */
  #scheduleFor(kept: SlidingWindows, start: number, lastEnd: number, watermark: number): void {
    const { slide } = this.#grid;
    const firstEnd = this.#grid.firstEnd(start);
    if (this.#appointments.moment(firstEnd) <= watermark) {
      // It is late for its first windows. Those that may still change are shown again.
      const over = this.#endAt(watermark);
      const from = Math.max(firstEnd, this.#endAt(watermark - this.#rules.lateness) + slide);
      const to = Math.min(over, lastEnd);
      if (from <= to) {
        const { late = { from, to } } = kept;
        kept.late = { from: Math.min(late.from, from), to: Math.max(late.to, to) };
        this.#appointments.schedule(kept, this.#appointments.moment(from));
      }
      kept.shown = Math.max(kept.shown, over);
    }
    const next = Math.max(firstEnd, kept.shown + slide);
    this.#appointments.schedule(
      kept,
      next <= lastEnd ? this.#appointments.moment(next) : this.#appointments.expiry(lastEnd),
    );
  }

  /** The end of the first window after `after` that holds a pane; NEVER if there is none. */
  #nextEnd(kept: SlidingWindows, after: number): number {
    const { slide, size } = this.#grid;
    const pane = kept.panes[firstFrom(kept.panes, after + slide - size)];
    return pane === undefined ? NEVER : Math.max(this.#grid.firstEnd(pane.start), after + slide);
  }

  #due(time: number, key: Key): void {
    try {
      this.#fire(time, key);
    } catch {
      // Nothing has changed. It is tried again alone, by the policy for errors, and when it is given up the others go on.
      const kept = this.#task.kept.get()!;
      this.#task.timers.again.set(time);
      this.#task.kept.set(kept);
      kept.due = NEVER;
      this.#scheduleNext(kept, time + 1);
    }
  }

  /** Shows the window whose moment this is, or those that a late value has changed. What was earlier has been given up. */
  #fire(time: number, key: Key): void {
    const { kept: state } = this.#task;
    const kept = state.get();
    if (kept === undefined) return;
    const results: WindowResult[] = [];
    const { late } = kept;
    if (late !== undefined && this.#appointments.moment(late.from) === time) {
      this.#sweep(new Running(this.#columns), kept, late.from, late.to, 'late', key, results);
    }
    const end = this.#endAt(time);
    if (this.#appointments.moment(end) === time && end > kept.shown && this.#holds(kept, end)) {
      const over = this.#running.over(kept, kept.panes, end - this.#grid.size, end);
      results.push(this.#result(key, end, 'on time', over));
    }
    for (const result of results) this.#task.emit(result);
    state.set(kept);
    if (kept.due <= time) kept.due = NEVER;
    if (late !== undefined && this.#appointments.moment(late.from) <= time) kept.late = undefined;
    kept.shown = Math.max(kept.shown, end);
    this.#removeExpired(kept, this.#rules.byClock ? time : Math.max(time, this.#task.watermark()));
  }

  /** Whether the window that ends at `end` holds a pane. */
  #holds(kept: SlidingWindows, end: number): boolean {
    const pane = kept.panes[firstFrom(kept.panes, end - this.#grid.size)];
    return pane !== undefined && pane.start < end;
  }

  #removeExpired(kept: SlidingWindows, horizon: number): void {
    const { panes } = kept;
    // A pane whose last window ends here or before is needed no more.
    const end = Math.min(kept.shown, this.#endAt(horizon - this.#rules.lateness));
    dropFirst(panes, firstFrom(panes, end + this.#grid.slide - this.#grid.size));
    if (panes.length === 0) this.#clear(kept);
    else this.#scheduleNext(kept, Number.NEGATIVE_INFINITY);
  }

  #scheduleNext(kept: SlidingWindows, atLeast: number): void {
    const next = this.#nextEnd(kept, kept.shown);
    const expiry = this.#appointments.expiry(this.#grid.lastEnd(kept.panes[0]!.start));
    this.#appointments.schedule(
      kept,
      Math.max(Math.min(next === NEVER ? NEVER : this.#appointments.moment(next), expiry), atLeast),
    );
  }

  #clear(kept: SlidingWindows): void {
    this.#appointments.clear(kept);
    this.#task.kept.clear();
  }

  #early(key: Key): void {
    const kept = this.#task.kept.get();
    if (kept === undefined) return;
    const results: WindowResult[] = [];
    const fresh = kept.panes.filter(({ news }) => news);
    const running = new Running(this.#columns);
    let after = kept.shown;
    for (const { start } of fresh) {
      const from = Math.max(this.#grid.firstEnd(start), after + this.#grid.slide);
      const to = this.#grid.lastEnd(start);
      this.#sweep(running, kept, from, to, 'early', key, results);
      after = Math.max(after, to);
    }
    for (const result of results) this.#task.emit(result);
    this.#task.kept.set(kept);
    kept.early = undefined;
    for (const pane of fresh) pane.news = false;
  }

  /** The end of the input, by the clock: what there is comes out. */
  #end(key: Key): void {
    const kept = this.#task.kept.get();
    if (kept === undefined) return;
    const results: WindowResult[] = [];
    const last = this.#grid.lastEnd(kept.panes[kept.panes.length - 1]!.start);
    const running = new Running(this.#columns);
    this.#sweep(running, kept, this.#nextEnd(kept, kept.shown), last, 'on time', key, results);
    for (const result of results) this.#task.emit(result);
    this.#clear(kept);
  }

  /** The results of all windows that end from `from` to `to` and hold something. */
  #sweep(
    running: Running,
    kept: SlidingWindows,
    from: number,
    to: number,
    timing: Timing,
    key: Key,
    results: WindowResult[],
  ): void {
    for (let end = from; end <= to; end += this.#grid.slide) {
      if (!this.#holds(kept, end)) continue;
      results.push(this.#result(key, end, timing, running.over(kept.panes, end - this.#grid.size, end)));
    }
  }

  #result(key: Key, end: number, timing: Timing, accumulators: Accumulators): WindowResult {
    return resultOf(this.#columns, key, { start: end - this.#grid.size, end }, timing, accumulators);
  }
}
