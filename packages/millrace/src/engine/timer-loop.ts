/**
 * Tells the timers of a task, of one domain, in their order: each is one step (law 1), and while a queue downstream is
 * full, or others need the thread, the rest waits (law 7: timers fire in slices). A timer whose handler throws is told
 * again by the component's policy, with those behind it waiting; given up, it goes to the ledger.
 */
import { shown } from '../codec/shown.ts';
import { formatTime } from '../duration.ts';
import type { Origin } from '../ledger/ledger.ts';
import type { KeyedState } from '../state/keyed-state.ts';
import type { Key } from '../topology/key.ts';
import type { TimerDomain } from '../topology/timer-spec.ts';
import type { Station } from './station.ts';
import { Root } from './tree.ts';

/** How long (ms) timers may keep the thread, and how many are told between two looks at the clock. */
const SLICE = 1;
const LOOK = 64;

export interface Fired {
  readonly name: string;
  readonly time: number;
  readonly key: Key;
}

/** The tree of what a timer gives. A restart tells the timer again: what is lost on the way is the same loss then. */
class TimerRoot extends Root {
  readonly #component: string;
  readonly #timer: Fired;
  constructor(component: string, timer: Fired) {
    super(0);
    this.#component = component;
    this.#timer = timer;
  }
  get origin(): Origin {
    return originOf(this.#component, this.#timer);
  }
  touch(): void {}
  protected end(): void {}
}

export class TimerLoop {
  readonly #station: Station;
  readonly #index: number;
  readonly #state: KeyedState;
  readonly #domain: TimerDomain;
  /** Runs the handler, as the step that the state has begun; throws what it throws, with all of it undone. */
  readonly #tell: (timer: Fired) => void;
  /** How often the handler of the timer that is to be told has thrown. */
  #attempt = 0;

  constructor(station: Station, index: number, state: KeyedState, domain: TimerDomain, tell: (timer: Fired) => void) {
    this.#station = station;
    this.#index = index;
    this.#state = state;
    this.#domain = domain;
    this.#tell = tell;
  }

  get failures(): number {
    return this.#attempt;
  }

  /** Tells all timers up to a time, also those that are set meanwhile; then calls `then`. One run at a time. */
  run(upTo: number, then: () => void): void {
    const { worker, gate } = this.#station;
    const { clock, timers } = worker.runtime;
    const again = () => {
      this.run(upTo, then);
      worker.stopwatch.stop();
    };
    const until = clock.monotonic() + SLICE;
    for (let told = 1; this.#isDue(upTo); told++) {
      if (worker.dead) return;
      if (gate.closed) return gate.whenOpen(again);
      if (told % LOOK === 0 && clock.monotonic() > until) return timers.soon(again);
      if (!this.#tellFirst(upTo, again)) return;
    }
    then();
  }

  #isDue(upTo: number): boolean {
    const next = this.#state.next(this.#domain);
    return next <= upTo && next !== Infinity;
  }

  /** False: it failed, and `again` will be called, or the topology has failed. */
  #tellFirst(upTo: number, again: () => void): boolean {
    const { worker } = this.#station;
    let thrown: unknown;
    let failed = false;
    const timer = this.#state.fire(this.#domain, upTo)!;
    worker.step(new TimerRoot(this.#station.id, timer), () => {
      try {
        this.#tell(timer);
      } catch (cause) {
        failed = true;
        thrown = cause;
      }
    });
    if (!failed) {
      this.#attempt = 0;
      return true;
    }
    return this.#failed(timer, thrown, upTo, again);
  }

  #failed(timer: Fired, thrown: unknown, upTo: number, again: () => void): boolean {
    const { worker, metrics, component } = this.#station;
    if (worker.dead) return false;
    metrics.errors++;
    const { name, time, key } = timer;
    const what = `timer '${name}' of ${formatTime(time)}, key ${shown(key)}`;
    const error = this.#station.userError(this.#index, thrown, what);
    if (this.#station.retries(error.message, ++this.#attempt, `retry ${this.#attempt}`, again)) return false;
    metrics.failed++;
    if (this.#station.stops(error)) return false;
    worker.options.log(component.id, `${error.message}; given to the ledger after ${this.#attempt} tries`);
    this.#attempt = 0;
    this.#state.fire(this.#domain, upTo);
    this.#state.commit();
    worker.loseTimer(metrics, originOf(component.id, timer), error.message, time);
    return true;
  }
}

function originOf(component: string, { name, time, key }: Fired): Origin {
  return { spout: component, split: `${name} ${shown(key)}`, position: time };
}
