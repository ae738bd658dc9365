/** What a store keeps for one key: a cell for each declared state, and the timers that are set. */
import type { CanonicalKey, Key } from '../topology/key.ts';
import { keyGroup } from '../topology/key.ts';
import { NO_APPOINTMENT } from './appointments.ts';

export class Entry {
  readonly id: CanonicalKey;
  /** As it arrived. */
  readonly key: Key;
  /** Cells that hold something, and timers. An entry without any is removed when its step ends. */
  live = 0;
  /** When it was last written to, for snapshots: see `Changes`. */
  mark = 0;
  /** The last timer that was set; the others hang on it. */
  timers: PendingTimer | undefined = undefined;
  /** When this key is looked at for what has expired, as `Appointments` counts. */
  clockSweep = NO_APPOINTMENT;
  eventSweep = NO_APPOINTMENT;
  /** Most bolts have one state: its cell needs no array. */
  #first: unknown = undefined;
  readonly #others: unknown[] | undefined;

  constructor(id: CanonicalKey, key: Key, others: unknown[] | undefined) {
    this.id = id;
    this.key = key;
    this.#others = others;
  }

  get group(): number {
    return keyGroup(this.id);
  }

  /** By the order of the declarations; undefined where there is nothing. What a cell looks like is its kind's business. */
  cell(index: number): unknown {
    return index === 0 ? this.#first : this.#others![index - 1];
  }

  put(index: number, cell: unknown): void {
    if (this.cell(index) === undefined) {
      if (cell !== undefined) this.live++;
    } else if (cell === undefined) this.live--;
    if (index === 0) this.#first = cell;
    else this.#others![index - 1] = cell;
  }
}

/** One timer of one key. */
export class PendingTimer {
  readonly entry: Entry;
  readonly name: string;
  readonly time: number;
  /** Timers of the same time are told in the order of these numbers: that in which they were set. */
  readonly order: number;
  /** False once it was cleared or told. */
  live = true;
  next: PendingTimer | undefined = undefined;
  previous: PendingTimer | undefined = undefined;

  constructor(entry: Entry, name: string, time: number, order: number) {
    this.entry = entry;
    this.name = name;
    this.time = time;
    this.order = order;
  }

  get key(): Key {
    return this.entry.key;
  }

  /** Hangs it on its key. */
  link(): void {
    const { entry } = this;
    this.next = entry.timers;
    if (entry.timers !== undefined) entry.timers.previous = this;
    entry.timers = this;
    entry.live++;
  }

  unlink(): void {
    const { entry, next, previous } = this;
    if (previous === undefined) entry.timers = next;
    else previous.next = next;
    if (next !== undefined) next.previous = previous;
    this.next = undefined;
    this.previous = undefined;
    entry.live--;
  }
}
