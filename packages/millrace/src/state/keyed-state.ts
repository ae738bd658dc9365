/**
 * Everything that a task keeps per key: its states and its timers, in memory. Law 1: what a step wrote takes effect
 * together, at `commit`, or not at all, after `undo`. A key that has neither state nor timers is not kept.
 */
import { structured } from '../codec/structured.ts';
import type { Key } from '../topology/key.ts';
import { canonicalKey } from '../topology/key.ts';
import type { StateSpec, StateSpecs } from '../topology/state-spec.ts';
import type { Timer, TimerDomain, TimerSpecs } from '../topology/timer-spec.ts';
import { accepting } from './accept.ts';
import type { Cells } from './cells.ts';
import type { Entry } from './entry.ts';
import { ListCells } from './list-cells.ts';
import { MapCells } from './map-cells.ts';
import { takeover } from './migration.ts';
import { Restore } from './restore.ts';
import type { Declared, SavedKey } from './saved-key.ts';
import { contentOf } from './saved-key.ts';
import type { Shapes } from './shape.ts';
import { shapesOf } from './shape.ts';
import { Snapshot } from './snapshot.ts';
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

/** For who looks from outside: each declared state, and the timers in the order of their times. */
export interface KeyContent {
  readonly state: { readonly [name: string]: unknown };
  readonly timers: readonly { readonly name: string; readonly time: number }[];
}

export class KeyedState {
  /** What `prepare` gets: one handle per declared name. */
  readonly handles: { readonly [name: string]: unknown };
  readonly timers: { readonly [name: string]: Timer };
  readonly #step: Step;
  readonly #cells: readonly Cells[];
  readonly #timers = new Map<string, TimerHandle>();
  readonly #queues = { event: new TimerQueue(), clock: new TimerQueue() };
  readonly #specs: StateSpecs;
  readonly #shapes: Shapes;
  readonly #declared: Declared;
  #watermark = Number.NEGATIVE_INFINITY;
  /** The number of timers ever set: their order. */
  #set = 0;

  constructor(options: KeyedStateOptions) {
    const { component, specs, timers, now } = options;
    this.#shapes = shapesOf(component, specs, timers);
    this.#step = new Step(component, Object.keys(specs).length, now);
    this.#cells = Object.entries(specs).map(([name, spec], index) => this.#cellsOf(name, spec, index, options));
    for (const [name, domain] of Object.entries(timers)) {
      this.#timers.set(name, new TimerHandle(this.#step, name, domain, this.#queues[domain], () => this.#set++));
    }
    this.#specs = specs;
    this.#declared = { component, cells: this.#cells, timerNames: Object.keys(timers) };
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

  /** The earliest timer of that domain, for who asks from outside. */
  first(domain: TimerDomain): FiredTimer | undefined {
    return this.#queues[domain].first;
  }

  /** How many timers of that domain are to be told. */
  pending(domain: TimerDomain): number {
    return this.#queues[domain].size;
  }

  /** Takes the earliest timer that is due at `upTo`, and begins a step for its key; undefined if none is due. */
  fire(domain: TimerDomain, upTo: number): FiredTimer | undefined {
    const queue = this.#queues[domain];
    if (queue.next > upTo) return undefined;
    const timer = queue.take();
    if (timer === undefined) return undefined;
    if (domain === 'event') this.#step.expiry.refreshAt(timer.time);
    else this.#step.expiry.refresh();
    this.#step.enterEntry(timer.entry);
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

  /** What is kept for a key, and its timers; undefined if nothing is. Plain data of its own. Not within a step. */
  read(key: Key): KeyContent | undefined {
    const id = canonicalKey(key);
    const entry = id === undefined ? undefined : this.#step.entries.get(id);
    if (entry === undefined) return undefined;
    this.#step.expiry.refresh();
    const { cells, timers } = contentOf(entry, this.#declared);
    const state = this.#cells.map(({ name, empty }, i) => [name, cells[i] ? cells[i][0] : empty] as const);
    const pending: { name: string; time: number }[] = [];
    for (let i = 0; i < timers.length; i += 3) {
      pending.push({ name: this.#declared.timerNames[timers[i]!]!, time: timers[i + 1]! });
    }
    pending.sort((a, b) => a.time - b.time || (a.name < b.name ? -1 : 1));
    return {
      state: structured.decode(structured.encode(Object.fromEntries(state))) as KeyContent['state'],
      timers: pending,
    };
  }

  /** The keys that have state or timers; what has expired may still be among them. */
  *keys(): IterableIterator<Key> {
    for (const { key } of this.#step.entries.values()) yield key;
  }

  /** Begins a snapshot of what there is now: see `Snapshot`. One at a time; not within a step. */
  snapshot(what: 'all' | 'changes'): Snapshot {
    const { changes, entries } = this.#step;
    if (changes.watcher !== undefined) throw new Error('the last snapshot was neither finished nor abandoned');
    return new Snapshot(what, { shapes: this.#shapes, changes, declared: this.#declared }, entries);
  }

  /**
   * Adds what was saved: the keys of a whole snapshot and then of the changes since, or those of some key groups. MR_STATE_SHAPE
   * before anything is touched, if the declarations do not fit; `drop` names states and timers whose data is not wanted.
   */
  restore(shapes: Shapes, saved: Iterable<SavedKey>, drop: readonly string[] = []): void {
    const { component } = this.#declared;
    const plan = takeover(component, shapes, { shapes: this.#shapes, specs: this.#specs }, drop);
    const restore = new Restore(this.#step, this.#cells, this.#timers);
    restore.take(saved, plan);
    this.#set = Math.max(this.#set, restore.lastOrder + 1);
    this.#step.changes.dirty ??= new Map();
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
