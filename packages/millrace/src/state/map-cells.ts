/** Map state: entries in the order in which they were first set, each undone on its own. */
import { MillraceError } from '../errors.ts';
import type { MapState } from '../topology/state-spec.ts';
import type { Accept, Kept, Written } from './cells.ts';
import { Cells, timesOf } from './cells.ts';
import type { Entry } from './entry.ts';
import type { Lifetime } from './expiry.ts';
import type { Before, Step } from './step.ts';

type Name = string | number;

interface Slot {
  value: unknown;
  /** 0 without a time to live. */
  written: number;
  /** Of the slots of one map, in the order in which they were made: a deletion that is undone comes back to its place. */
  readonly order: number;
}

class Slots {
  readonly byName = new Map<Name, Slot>();
  /** No slot was written before; what was written first may be gone. */
  oldest = Number.POSITIVE_INFINITY;
  #made = 0;

  add(name: Name, value: unknown, written: number): Slot {
    const slot = { value, written, order: this.#made++ };
    this.byName.set(name, slot);
    if (written < this.oldest) this.oldest = written;
    return slot;
  }

  sort(): void {
    const inOrder = [...this.byName].sort(([, a], [, b]) => a.order - b.order);
    this.byName.clear();
    for (const [name, slot] of inOrder) this.byName.set(name, slot);
  }
}

const ADDED = 1;
const CHANGED = 2;
const DELETED = 3;

export class MapCells extends Cells {
  readonly handle: MapState<Name, unknown>;
  readonly empty: ReadonlyMap<Name, unknown> = new Map();
  readonly #accept: Accept;
  /** Got deleted slots back, at its end. */
  #unsorted: Slots | undefined;

  constructor(step: Step, index: number, name: string, lifetime: Lifetime | undefined, accept: Accept) {
    super(step, index, name, lifetime);
    this.#accept = accept;
    const size = () => this.#size();
    this.handle = {
      get: (name) => this.#find(name)?.value,
      has: (name) => this.#find(name) !== undefined,
      set: (name, value) => this.#set(name, value),
      delete: (name) => this.#delete(name),
      get size() {
        return size();
      },
      keys: () => this.#each((name) => name),
      entries: () => this.#each((name, slot) => [name, slot.value] as const),
      clear: () => this.clear(),
    };
  }

  #slots(): Slots | undefined {
    return this.step.seen(this.what)?.cell(this.index) as Slots | undefined;
  }

  #find(name: Name): Slot | undefined {
    const slot = this.#slots()?.byName.get(name);
    return slot === undefined || this.lifetime?.expired(slot.written) ? undefined : slot;
  }

  #set(name: Name, value: unknown): void {
    if (typeof name !== 'string' && typeof name !== 'number') throw this.#notAName(name);
    const mine = this.#accept(value);
    const entry = this.step.written(this.what);
    const written = this.lifetime === undefined ? 0 : this.lifetime.now();
    const slot = this.#find(name);
    if (slot === undefined) this.#add(entry, name, mine, written);
    else {
      this.step.note(this, CHANGED, slot, slot.value, slot.written);
      slot.value = mine;
      slot.written = written;
    }
    this.lifetime?.schedule(entry, written);
  }

  #add(entry: Entry, name: Name, value: unknown, written: number): void {
    let slots = entry.cell(this.index) as Slots | undefined;
    if (slots === undefined) {
      slots = new Slots();
      this.replace(entry, slots);
    } else {
      const expired = slots.byName.get(name);
      if (expired !== undefined) this.#remove(slots, name, expired);
    }
    slots.add(name, value, written);
    this.step.note(this, ADDED, slots, name, 0);
  }

  #delete(name: Name): void {
    const slot = this.#slots()?.byName.get(name);
    if (slot === undefined) return;
    const entry = this.step.written(this.what);
    const slots = entry.cell(this.index) as Slots;
    this.#remove(slots, name, slot);
    if (slots.byName.size === 0) this.replace(entry, undefined);
  }

  #remove(slots: Slots, name: Name, slot: Slot): void {
    slots.byName.delete(name);
    this.step.note(this, DELETED, slots, [name, slot], 0);
  }

  #size(): number {
    const slots = this.#slots();
    if (slots === undefined) return 0;
    const { lifetime } = this;
    // What was written before event time began may live longer than what timers wrote just then: it says nothing of them.
    const isKnown = slots.oldest !== Number.NEGATIVE_INFINITY;
    if (lifetime === undefined || (isKnown && !lifetime.expired(slots.oldest))) return slots.byName.size;
    let size = 0;
    for (const slot of slots.byName.values()) if (!lifetime.expired(slot.written)) size++;
    return size;
  }

  /** Lazily, and only as long as the step lasts. */
  #each<T>(give: (name: Name, slot: Slot) => T): Iterable<T> {
    const { step, what, lifetime } = this;
    const entry = step.seen(what);
    const slots = this.#slots();
    if (slots === undefined) return [];
    function* each(slots: Slots): Generator<T> {
      for (const [name, slot] of slots.byName) {
        if (step.seen(what) !== entry) throw new MillraceError('MR_NO_KEY_HERE', [step.component, what]);
        if (!lifetime?.expired(slot.written)) yield give(name, slot);
      }
    }
    return { [Symbol.iterator]: () => each(slots) };
  }

  override undo(before: Before, entry: Entry): void {
    const { kind, was, part, number } = before;
    if (kind === ADDED) (was as Slots).byName.delete(part as Name);
    else if (kind === CHANGED) {
      (was as Slot).value = part;
      (was as Slot).written = number;
    } else if (kind === DELETED) {
      const [name, slot] = part as [Name, Slot];
      (was as Slots).byName.set(name, slot);
      this.#unsorted = was as Slots;
    } else super.undo(before, entry);
  }

  undone(): void {
    this.#unsorted?.sort();
    this.#unsorted = undefined;
  }

  #notAName(name: unknown): MillraceError {
    return new MillraceError('MR_STATE_VALUE', [this.step.component, this.what, 'the name', String(name)]);
  }

  save(cell: unknown): Kept | undefined {
    const kept = new Map<Name, unknown>();
    const times: number[] = [];
    for (const [name, slot] of (cell as Slots).byName) {
      if (this.lifetime?.expired(slot.written)) continue;
      kept.set(name, slot.value);
      times.push(this.lifetime?.dated(slot.written) ?? 0);
    }
    if (kept.size === 0) return undefined;
    return this.lifetime === undefined ? [kept] : [kept, times];
  }

  load(kept: unknown, written: Written): Slots | undefined {
    if (!(kept instanceof Map)) throw new TypeError('a Map is wanted');
    if (kept.size === 0) return undefined;
    const times = this.lifetime === undefined ? undefined : timesOf(written, kept.size, this.lifetime);
    const slots = new Slots();
    let i = 0;
    for (const [name, value] of kept as Map<Name, unknown>) slots.add(name, this.#accept(value), times?.[i++] ?? 0);
    return slots;
  }

  end(cell: unknown): number {
    return this.lifetime!.end((cell as Slots).oldest);
  }

  swept(cell: unknown): unknown {
    const slots = cell as Slots;
    const lifetime = this.lifetime!;
    let oldest = Number.POSITIVE_INFINITY;
    for (const [name, slot] of slots.byName) {
      if (lifetime.expired(slot.written)) slots.byName.delete(name);
      else oldest = Math.min(oldest, slot.written);
    }
    slots.oldest = oldest;
    return slots.byName.size === 0 ? undefined : slots;
  }
}
