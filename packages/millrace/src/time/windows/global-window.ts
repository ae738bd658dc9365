/**
 * One window of all values of a key. It gives early results by the clock, if asked for, and its last one at the end of
 * the input. A result spans the times of its values: `start` is the earliest, `end` − 1 the latest.
 */
import type { Key } from '../../topology/key.ts';
import { Appointments } from './appointments.ts';
import type { Accumulators, Columns } from './columns.ts';
import type { FiringRules, Timing, WindowOperator, WindowResult, WindowTask } from './operator.ts';
import { END_OF_INPUT, NEVER, resultOf } from './operator.ts';

/** What is kept of a key. */
export interface GlobalWindow {
  accumulators: Accumulators;
  /** Of the values that the next result shows. */
  earliest: number;
  latest: number;
  news: boolean;
  /** When the timer is set to. */
  early: number | undefined;
}

export class GlobalOperator<T> implements WindowOperator<T> {
  readonly timer = {
    due() {},
    again() {},
    early: (_: number, key: Key) => this.#early(key),
    end: (_: number, key: Key) => this.#end(key),
  };
  readonly #task: WindowTask<T, GlobalWindow>;
  readonly #rules: FiringRules;
  readonly #columns: Columns<T>;
  readonly #appointments: Appointments;

  constructor(task: WindowTask<T, GlobalWindow>) {
    this.#task = task;
    this.#rules = task.rules;
    this.#columns = task.columns;
    this.#appointments = new Appointments(task);
  }

  execute(value: T, time: number, _key: Key): void {
    const { kept: state, timers } = this.#task;
    this.#columns.take(value, time);
    const before = state.get();
    const accumulators = before?.accumulators ?? this.#columns.create();
    const staged = this.#columns.stage(accumulators);

    // From here on nothing throws.
    const kept = before ?? { accumulators, earliest: time, latest: time, news: true, early: undefined };
    state.set(kept);
    if (before === undefined) timers.end.set(END_OF_INPUT);
    this.#columns.put(accumulators, staged);
    kept.earliest = Math.min(kept.earliest, time);
    kept.latest = Math.max(kept.latest, time);
    kept.news = true;
    this.#appointments.scheduleEarly(kept);
  }

  #early(key: Key): void {
    const { kept: state } = this.#task;
    const kept = state.get();
    if (kept === undefined) return;
    const accumulators = this.#rules.discarding ? this.#columns.create() : undefined;
    if (kept.news) this.#task.emit(this.#result(key, kept, 'early'));
    state.set(kept);
    kept.early = undefined;
    kept.news = false;
    if (accumulators === undefined) return;
    kept.accumulators = accumulators;
    kept.earliest = NEVER;
    kept.latest = -NEVER;
  }

  #end(key: Key): void {
    const { kept: state, timers } = this.#task;
    const kept = state.get();
    if (kept === undefined) return;
    if (kept.news || !this.#rules.discarding) this.#task.emit(this.#result(key, kept, 'on time'));
    if (kept.early !== undefined) timers.early.clear(kept.early);
    state.clear();
  }

  #result(key: Key, { earliest, latest, accumulators }: GlobalWindow, timing: Timing): WindowResult {
    return resultOf(this.#columns, key, { start: earliest, end: latest + 1 }, timing, accumulators);
  }
}
