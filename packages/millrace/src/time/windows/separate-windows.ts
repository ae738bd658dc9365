/**
 * Windows in time that are kept one by one: tumbling and session windows, and sliding ones whose results are discarded
 * (there each window has a different part of what is new). A key has few of them at a time: those that are not over yet,
 * and those that late values may still come to.
 *
 * A key has one `due` timer, at the earliest moment at which one of its windows needs attention, or before it: a session
 * that grows leaves its timer where it is, and when that is told it is set again.
 */
import type { Key } from '../../topology/key.ts';
import type { Appointed } from './appointments.ts';
import { Appointments } from './appointments.ts';
import type { Accumulators, Columns } from './columns.ts';
import type { Grid } from './grid.ts';
import type { FiringRules, Timing, WindowOperator, WindowResult, WindowTask } from './operator.ts';
import { END_OF_INPUT, NEVER, resultOf } from './operator.ts';

interface Window {
  start: number;
  end: number;
  accumulators: Accumulators;
  /** It holds values that no result has shown. */
  news: boolean;
  /** Its time has come: what comes now is late. */
  over: boolean;
}

/** What is kept of a key. */
export interface SeparateWindows extends Appointed {
  /** In order of their start, which is that of their end. */
  readonly windows: Window[];
}

/** Windows of a grid, or sessions with a gap. */
export type Placement<T> = Grid | ((value: T) => number);

/** Where the value being added goes: a window that is there, or a new one in the place of others. Used again and again. */
interface Target {
  window: Window;
  at: number;
  /** How many windows a new one replaces; −1: the window is there. */
  replaces: number;
  start: number;
  end: number;
  staged: Accumulators | undefined;
}

const THERE = -1;

export class SeparateOperator<T> implements WindowOperator<T> {
  readonly timer = {
    due: (time: number, key: Key) => this.#due(time, key),
    again: (time: number, key: Key) => this.#fire(time, key),
    early: (_: number, key: Key) => this.#early(key),
    end: (_: number, key: Key) => this.#end(key),
  };
  readonly #task: WindowTask<T, SeparateWindows>;
  readonly #rules: FiringRules;
  readonly #columns: Columns<T>;
  readonly #appointments: Appointments;
  readonly #placement: Placement<T>;
  readonly #targets: Target[] = [];
  #targetCount = 0;

  constructor(task: WindowTask<T, SeparateWindows>, placement: Placement<T>) {
    this.#task = task;
    this.#rules = task.rules;
    this.#columns = task.columns;
    this.#appointments = new Appointments(task);
    this.#placement = placement;
  }

  execute(value: T, eventTime: number, _key: Key): void {
    const { byClock } = this.#rules;
    const time = byClock ? this.#task.now() : eventTime;
    const watermark = byClock ? Number.NEGATIVE_INFINITY : this.#task.watermark();
    this.#columns.take(value, time);
    const kept = this.#task.kept.get();
    this.#targetCount = 0;
    const lastEnd =
      typeof this.#placement === 'function'
        ? this.#placeInSession(kept, time, time + this.#placement(value), watermark)
        : this.#placeInGrid(this.#placement, kept, time, watermark);
    if (this.#targetCount === 0) this.#task.late(value, time, lastEnd);
    else this.#add(kept, watermark);
  }

  #isLate(end: number, watermark: number): boolean {
    return end - 1 + this.#rules.lateness <= watermark;
  }

  #placeInGrid(grid: Grid, kept: SeparateWindows | undefined, time: number, watermark: number): number {
    const last = grid.lastStart(time);
    for (let start = last; start > time - grid.size; start -= grid.slide) {
      if (this.#isLate(start + grid.size, watermark)) break;
      this.#target(kept, start, start + grid.size);
    }
    return last + grid.size;
  }

  #target(kept: SeparateWindows | undefined, start: number, end: number): void {
    let at = kept === undefined ? 0 : kept.windows.length;
    while (at > 0 && kept!.windows[at - 1]!.start > start) at--;
    const there = at > 0 ? kept!.windows[at - 1]! : undefined;
    if (there?.start === start) this.#found(there, at - 1, THERE, start, end);
    else this.#found(this.#window(start, end, this.#columns.create()), at, 0, start, end);
  }

  /** A session takes in those that it overlaps; the end of one does not belong to it. */
  #placeInSession(kept: SeparateWindows | undefined, from: number, to: number, watermark: number): number {
    const windows = kept?.windows ?? [];
    let after = windows.length;
    while (after > 0 && windows[after - 1]!.start >= to) after--;
    let first = after;
    while (first > 0 && windows[first - 1]!.end > from) first--;
    let start = from;
    let end = to;
    for (let i = first; i < after; i++) {
      start = Math.min(start, windows[i]!.start);
      end = Math.max(end, windows[i]!.end);
    }
    if (this.#isLate(end, watermark)) return end;
    const touched = after - first;
    if (touched === 1) this.#found(windows[first]!, first, THERE, start, end);
    else this.#found(this.#merged(windows, first, after, start, end), first, touched, start, end);
    return end;
  }

  #merged(windows: readonly Window[], first: number, after: number, start: number, end: number): Window {
    if (first === after) return this.#window(start, end, this.#columns.create());
    let { accumulators } = windows[first]!;
    for (let i = first + 1; i < after; i++) {
      accumulators = this.#columns.merge(accumulators, windows[i]!.accumulators);
    }
    return this.#window(start, end, accumulators);
  }

  #window(start: number, end: number, accumulators: Accumulators): Window {
    return { start, end, accumulators, news: true, over: false };
  }

  #found(window: Window, at: number, replaces: number, start: number, end: number): void {
    const staged = this.#columns.stage(window.accumulators);
    const target = this.#targets[this.#targetCount++];
    if (target === undefined) {
      this.#targets.push({ window, at, replaces, start, end, staged });
      return;
    }
    target.window = window;
    target.at = at;
    target.replaces = replaces;
    target.start = start;
    target.end = end;
    target.staged = staged;
  }

  /** From here on nothing throws. Windows of a grid come from the last one on, so that indexes stay right. */
  #add(before: SeparateWindows | undefined, watermark: number): void {
    const { kept: state, timers } = this.#task;
    // The first window is in the array from the start: an array that grows has room for 16 more.
    const kept = before ?? { windows: [this.#targets[0]!.window], due: NEVER, early: undefined };
    state.set(kept);
    if (before === undefined && this.#rules.byClock) timers.end.set(END_OF_INPUT);
    let due = NEVER;
    let isEarly = false;
    for (let i = 0; i < this.#targetCount; i++) {
      const { window, at, replaces, start, end, staged } = this.#targets[i]!;
      if (replaces !== THERE && (i > 0 || before !== undefined)) kept.windows.splice(at, replaces, window);
      this.#columns.put(window.accumulators, staged);
      window.start = start;
      window.end = end;
      window.news = true;
      window.over = this.#appointments.moment(end) <= watermark;
      if (!window.over) isEarly = true;
      due = Math.min(due, this.#appointments.moment(end));
    }
    this.#appointments.schedule(kept, due);
    if (isEarly) this.#appointments.scheduleEarly(kept);
  }

  #due(time: number, key: Key): void {
    try {
      this.#fire(time, key);
    } catch {
      // Nothing has changed. It is tried again alone, by the policy for errors, and when it is given up the others go on.
      this.#task.timers.again.set(time);
      this.#scheduleAfter(time);
    }
  }

  #scheduleAfter(time: number): void {
    const kept = this.#task.kept.get()!;
    let next = NEVER;
    for (const window of kept.windows) next = Math.min(next, Math.max(this.#attention(window), time + 1));
    this.#task.kept.set(kept);
    kept.due = NEVER;
    this.#appointments.schedule(kept, next);
  }

  /** When a window is to be looked at. */
  #attention({ end, over, news }: Window): number {
    return over && !news ? this.#appointments.expiry(end) : this.#appointments.moment(end);
  }

  /** Shows the windows whose moment this is. One of an earlier moment has had its chance, and was given up. */
  #fire(time: number, key: Key): void {
    const { kept: state } = this.#task;
    const kept = state.get();
    if (kept === undefined) return;
    const results: WindowResult[] = [];
    for (const window of kept.windows) {
      if (this.#appointments.moment(window.end) !== time) continue;
      if (window.over ? window.news : window.news || !this.#rules.discarding) {
        results.push(this.#result(key, window, window.over ? 'late' : 'on time'));
      }
    }
    const none = kept.windows.map(() => this.#fresh());
    for (const result of results) this.#task.emit(result);
    state.set(kept);
    if (kept.due <= time) kept.due = NEVER;
    for (const [i, window] of kept.windows.entries()) {
      if (this.#appointments.moment(window.end) > time) continue;
      window.over = true;
      this.#shown(window, none[i]);
    }
    this.#removeExpired(kept, this.#rules.byClock ? time : Math.max(time, this.#task.watermark()));
  }

  #removeExpired(kept: SeparateWindows, horizon: number): void {
    const { windows } = kept;
    let gone = 0;
    let next = NEVER;
    while (gone < windows.length && windows[gone]!.over && this.#appointments.expiry(windows[gone]!.end) <= horizon)
      gone++;
    windows.splice(0, gone);
    if (windows.length === 0) return this.#clear(kept);
    for (const window of windows) next = Math.min(next, this.#attention(window));
    this.#appointments.schedule(kept, next);
  }

  #clear(kept: SeparateWindows): void {
    this.#appointments.clear(kept);
    this.#task.kept.clear();
  }

  #early(key: Key): void {
    const kept = this.#task.kept.get();
    if (kept === undefined) return;
    const fresh = kept.windows.filter(({ over, news }) => news && !over);
    const results = fresh.map((window) => this.#result(key, window, 'early'));
    const none = fresh.map(() => this.#fresh());
    for (const result of results) this.#task.emit(result);
    this.#task.kept.set(kept);
    kept.early = undefined;
    for (const [i, window] of fresh.entries()) this.#shown(window, none[i]);
  }

  /** The end of the input, by the clock: what there is comes out. */
  #end(key: Key): void {
    const kept = this.#task.kept.get();
    if (kept === undefined) return;
    const open = kept.windows.filter(({ news }) => news || !this.#rules.discarding);
    const results = open.map((window) => this.#result(key, window, 'on time'));
    for (const result of results) this.#task.emit(result);
    this.#clear(kept);
  }

  #result(key: Key, window: Window, timing: Timing): WindowResult {
    return resultOf(this.#columns, key, window, timing, window.accumulators);
  }

  /** What a window goes on with after it was shown; undefined: with what it has. */
  #fresh(): Accumulators | undefined {
    return this.#rules.discarding ? this.#columns.create() : undefined;
  }

  #shown(window: Window, fresh: Accumulators | undefined): void {
    if (window.news && fresh !== undefined) window.accumulators = fresh;
    window.news = false;
  }
}
