/**
 * Everything that a task keeps per key: its states and its timers, in memory. Law 1: what a step wrote takes effect
 * together, at `commit`, or not at all, after `undo`. A key that has neither state nor timers is not kept.
 */
import type { Key } from '../topology/key.ts';
import type { StateSpec, StateSpecs } from '../topology/state-spec.ts';
import type { Timer, TimerDomain, TimerSpecs } from '../topology/timer-spec.ts';
import { accepting } from './accept.ts';
import type { Cells } from './cells.ts';
import type { Entry } from './entry.ts';
import { ListCells } from './list-cells.ts';
import { MapCells } from './map-cells.ts';
import { Step } from './step.ts';
import { TimerHandle } from './timer-handle.ts';
import { TimerQueue } from './timer-queue.ts';
import { ValueCells } from './value-cells.ts';

export interface KeyedStateOptions {
  readonly component: string;
  readonly specs: StateSpecs;
  readonly timers: TimerSpecs;
  /** Deep-freezes in tests and in dev, and gives its argument back otherwise. */
  readonly freeze: <T>(value: T) => T;
  /** The wall clock. */
  readonly now: () => number;
}

/** A timer that is due. */
export interface FiredTimer {
  readonly name: string;
  readonly time: number;
  readonly key: Key;
}

export class KeyedState {
  /** What `prepare` gets: one handle per declared name. */
  readonly handles: { readonly [name: string]: unknown };
  readonly timers: { readonly [name: string]: Timer };
  readonly #step: Step;
  readonly #cells: readonly Cells[];
  readonly #timers = new Map<string, TimerHandle>();
  readonly #queues = { event: new TimerQueue(), clock: new TimerQueue() };
  #watermark = Number.NEGATIVE_INFINITY;
  /** The number of timers ever set: their order. */
  #set = 0;

  constructor(options: KeyedStateOptions) {
    const { component, specs, timers, now } = options;
    this.#step = new Step(component, Object.keys(specs).length, now);
    this.#cells = Object.entries(specs).map(([name, spec], index) => this.#cellsOf(name, spec, index, options));
    for (const [name, domain] of Object.entries(timers)) {
      this.#timers.set(name, new TimerHandle(this.#step, name, domain, this.#queues[domain], () => this.#set++));
    }
    this.handles = Object.fromEntries(this.#cells.map((cells) => [cells.name, cells.handle]));
    this.timers = Object.fromEntries(
      [...this.#timers].map(([name, timer]) => [
        name,
        { set: (time: number) => timer.set(time), clear: (time: number) => timer.clear(time) },
      ]),
    );
  }

  /** Event time, for what lives by it. The engine sets it before each step; it never goes back. */
  get watermark(): number {
    return this.#watermark;
  }
  set watermark(time: number) {
    this.#watermark = time;
    this.#step.expiry.watermark = time;
  }

  /** Keys that have state or timers. */
  get size(): number {
    return this.#step.entries.size;
  }

  /** Begins a step for this key; undefined where there is none: then no handle may be used. */
  enter(key: Key | undefined): void {
    this.#step.enter(key);
  }

  /** The step ended well. */
  commit(): void {
    this.#step.commit();
  }

  /** The step failed: states and timers are as before it, and a timer that `fire` took is there again. */
  undo(): void {
    this.#step.undo();
  }

  /** The earliest timer of that domain; Infinity if none. */
  next(domain: TimerDomain): number {
    return this.#queues[domain].next;
  }

  /** Takes the earliest timer that is due at `upTo`, and begins a step for its key; undefined if none is due. */
  fire(domain: TimerDomain, upTo: number): FiredTimer | undefined {
    const queue = this.#queues[domain];
    if (queue.next > upTo) return undefined;
    const timer = queue.take();
    if (timer === undefined) return undefined;
    this.#step.enterEntry(timer.entry);
    this.#step.changes.touch(timer.entry);
    this.#timers.get(timer.name)!.took(timer);
    return timer;
  }

  /** The earliest moment at which something by the clock expires, rounded up; Infinity if none. */
  get nextClockExpiry(): number {
    return this.#step.expiry.next(0);
  }

  /** Removes what has expired, looking at about `most` cells; true when there is more to do. Not within a step. */
  sweep(most: number): boolean {
    const { expiry } = this.#step;
    expiry.refresh();
    let left = most;
    for (const domain of [0, 1]) {
      while (expiry.due(domain)) {
        if (left <= 0) return true;
        left -= this.#cells.length;
        this.#sweepKey(expiry.take(domain), domain);
      }
    }
    return false;
  }

  #sweepKey(entry: Entry, domain: number): void {
    let end = Number.POSITIVE_INFINITY;
    for (const cells of this.#cells) {
      const cell = entry.cells[cells.index];
      if (cell === undefined || cells.lifetime?.index !== domain) continue;
      if (cells.lifetime.isOver(cells.end(cell))) {
        this.#step.changes.touch(entry);
        entry.put(cells.index, cells.swept(cell));
      }
      const left = entry.cells[cells.index];
      if (left !== undefined) end = Math.min(end, cells.end(left));
    }
    if (entry.live === 0) this.#step.remove(entry);
    else if (end < Number.POSITIVE_INFINITY) this.#step.expiry.schedule(entry, domain, end);
  }

  #cellsOf(name: string, spec: StateSpec<unknown>, index: number, options: KeyedStateOptions): Cells {
    const step = this.#step;
    const { component, freeze } = options;
    const { ttl } = spec.options;
    const lifetime = ttl === undefined ? undefined : step.expiry.lifetime(ttl);
    const accept = accepting(component, name, spec, freeze);
    if (spec.kind === 'list') return new ListCells(step, index, name, { lifetime, accept, freeze });
    if (spec.kind === 'map') return new MapCells(step, index, name, lifetime, accept);
    const initial = spec.owned ? spec.initial : freeze(spec.initial);
    return new ValueCells(step, index, name, { initial, lifetime, accept, reduce: spec.reduce });
  }
}
