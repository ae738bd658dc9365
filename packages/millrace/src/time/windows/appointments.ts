/** When the windows of a key are to be looked at: the moment of a window, and one timer of each kind per key. */
import type { WindowTask } from './operator.ts';
import { END_OF_INPUT, NEVER } from './operator.ts';

/** What the timers of a key are set to. */
export interface Appointed {
  due: number;
  early: number | undefined;
}

export class Appointments {
  readonly #task: Pick<WindowTask<never, never>, 'rules' | 'timers' | 'now'>;

  constructor(task: Pick<WindowTask<never, never>, 'rules' | 'timers' | 'now'>) {
    this.#task = task;
  }

  /** The moment at which a window is over. By the clock it is the end itself: until then values may come. */
  moment(end: number): number {
    return this.#task.rules.byClock ? end : end - 1;
  }

  /** Until when a window takes late values. */
  expiry(end: number): number {
    return this.moment(end) + this.#task.rules.lateness;
  }

  /** At this time, unless there is one before. */
  schedule(kept: Appointed, due: number): void {
    if (due >= kept.due) return;
    const { timers } = this.#task;
    if (kept.due !== NEVER) timers.due.clear(kept.due);
    timers.due.set(due);
    kept.due = due;
  }

  /** At the next moment of early results, if there are any. */
  scheduleEarly(kept: Pick<Appointed, 'early'>): void {
    const { rules, timers } = this.#task;
    if (rules.early === undefined) return;
    const at = nextMoment(this.#task.now(), rules.early);
    if (kept.early === at) return;
    timers.early.set(at);
    kept.early = at;
  }

  /** The key has no window any more. */
  clear({ due, early }: Appointed): void {
    const { rules, timers } = this.#task;
    if (due !== NEVER) timers.due.clear(due);
    if (early !== undefined) timers.early.clear(early);
    if (rules.byClock) timers.end.clear(END_OF_INPUT);
  }
}

/** The next multiple of `every` by the clock: early results of all keys come at the same moments. */
function nextMoment(now: number, every: number): number {
  return (Math.floor(now / every) + 1) * every;
}
