/** Keyed state in memory: the seam is `KeyedStore`. A restart starts it empty, unless it is restored. */
import { structured } from '../codec/structured.ts';
import type { Key } from '../topology/key.ts';
import { canonicalKey } from '../topology/key.ts';
import type { StateSpec, StateSpecs } from '../topology/state-spec.ts';
import type { Timer, TimerDomain } from '../topology/timer-spec.ts';
import { accepting } from './accept.ts';
import type { Cells } from './cells.ts';
import type { Entry } from './entry.ts';
import type { FiredTimer, KeyContent, KeyedStore, KeyedStoreOptions, SavedGroups, SavedKey } from './keyed-store.ts';
import { ListCells } from './list-cells.ts';
import { MapCells } from './map-cells.ts';
import type { Takeover } from './migration.ts';
import { takeover } from './migration.ts';
import { Restore } from './restore.ts';
import type { Declared } from './saved-key.ts';
import { contentOf } from './saved-key.ts';
import type { Shapes } from './shape.ts';
import { shapesOf } from './shape.ts';
import { Snapshot } from './snapshot.ts';
import { Step } from './step.ts';
import { TimerHandle } from './timer-handle.ts';
import { TimerQueue } from './timer-queue.ts';
import { Unloaded } from './unloaded.ts';
import { ValueCells } from './value-cells.ts';

export class KeyedState implements KeyedStore {
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

  constructor(options: KeyedStoreOptions) {
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

  get watermark(): number {
    return this.#watermark;
  }
  set watermark(time: number) {
    this.#watermark = time;
    this.#step.expiry.watermark = time;
  }

  get size(): number {
    return this.#step.entries.size;
  }

  enter(key: Key | undefined): void {
    this.#step.enter(key);
  }

  commit(): void {
    this.#step.commit();
  }

  undo(): void {
    this.#step.undo();
  }

  next(domain: TimerDomain): number {
    return this.#queues[domain].next;
  }

  first(domain: TimerDomain): FiredTimer | undefined {
    return this.#queues[domain].first;
  }

  pending(domain: TimerDomain): number {
    return this.#queues[domain].size;
  }

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

  get nextClockExpiry(): number {
    return this.#step.expiry.next(0);
  }

  sweep(most: number): boolean {
    const { expiry } = this.#step;
    expiry.refresh();
    let left = most;
    for (const domain of [0, 1]) {
      while (expiry.due(domain)) {
        if (left <= 0) return true;
        left -= this.#cells.length;
        this.#sweepNext(domain);
      }
    }
    return false;
  }

  read(key: Key): KeyContent | undefined {
    const entry = this.#find(key);
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

  has(key: Key): boolean {
    return this.#find(key) !== undefined;
  }

  #find(key: Key): Entry | undefined {
    const id = canonicalKey(key);
    return id === undefined ? undefined : this.#step.find(id);
  }

  *keys(): IterableIterator<Key> {
    while (this.load());
    for (const { key } of this.#step.entries.values()) yield key;
  }

  snapshot(what: 'all' | 'changes'): Snapshot {
    const { changes, entries, expiry } = this.#step;
    if (changes.watcher !== undefined) throw new Error('the last snapshot was neither finished nor abandoned');
    if (what === 'all') while (this.load());
    expiry.refresh();
    while (expiry.isUndated(1)) this.#sweepNext(1);
    return new Snapshot(what, { shapes: this.#shapes, changes, declared: this.#declared, expiry }, entries);
  }

  restore(shapes: Shapes, saved: Iterable<SavedKey>, drop: readonly string[] = []): void {
    this.#take(saved, this.#takeover(shapes, drop));
  }

  restoreLater(shapes: Shapes, { from, to, keysOf }: SavedGroups, drop: readonly string[] = []): void {
    const plan = this.#takeover(shapes, drop);
    const migrates = plan.states.some((taken) => taken?.migrate !== undefined);
    const isTimed = this.#timers.size > 0 || this.#cells.some(({ lifetime }) => lifetime !== undefined);
    if (migrates || isTimed) {
      // In one go: timers of the same time are told in the order in which they were set, whatever their groups.
      const all = function* () {
        for (let group = from; group < to; group++) yield* keysOf(group);
      };
      return this.#take(all(), plan);
    }
    this.#step.changes.dirty ??= new Map();
    this.#step.unloaded = new Unloaded(from, to, (group) => this.#take(keysOf(group), plan));
  }

  load(): boolean {
    const { unloaded } = this.#step;
    unloaded?.next();
    if (unloaded?.isEmpty) this.#step.unloaded = undefined;
    return this.#step.unloaded !== undefined;
  }

  #takeover(shapes: Shapes, drop: readonly string[]): Takeover {
    return takeover(this.#declared.component, shapes, { shapes: this.#shapes, specs: this.#specs }, drop);
  }

  #take(saved: Iterable<SavedKey>, plan: Takeover): void {
    this.#step.expiry.refresh();
    const restore = new Restore(this.#step, this.#cells, this.#timers);
    restore.take(saved, plan);
    this.#set = Math.max(this.#set, restore.lastOrder + 1);
    this.#step.changes.dirty ??= new Map();
  }

  #sweepNext(domain: number): void {
    const { expiry, changes } = this.#step;
    const isUndated = expiry.isUndated(domain);
    const entry = expiry.take(domain);
    // From now on it counts from a known time: another store would not know, if a snapshot of changes did not say so.
    if (isUndated) changes.touch(entry);
    this.#sweepKey(entry, domain);
  }

  #sweepKey(entry: Entry, domain: number): void {
    let end = Number.POSITIVE_INFINITY;
    for (const cells of this.#cells) {
      const cell = entry.cell(cells.index);
      if (cell === undefined || cells.lifetime?.index !== domain) continue;
      if (cells.lifetime.isOver(cells.end(cell))) {
        this.#step.changes.touch(entry);
        entry.put(cells.index, cells.swept(cell));
      }
      const left = entry.cell(cells.index);
      if (left !== undefined) end = Math.min(end, cells.end(left));
    }
    if (entry.live === 0) this.#step.remove(entry);
    else if (end < Number.POSITIVE_INFINITY) this.#step.expiry.schedule(entry, domain, end);
  }

  #cellsOf(name: string, spec: StateSpec<unknown>, index: number, options: KeyedStoreOptions): Cells {
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
