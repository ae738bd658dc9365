/** Saved keys back into a store, as the takeover says. A key that is there already is replaced, or removed if it went. */
import { MillraceError, messageOf } from '../errors.ts';
import { canonicalKey } from '../topology/key.ts';
import type { Cells, Kept } from './cells.ts';
import type { Entry } from './entry.ts';
import { PendingTimer } from './entry.ts';
import type { SavedKey } from './keyed-store.ts';
import type { Taken, Takeover } from './migration.ts';
import { contentFrom, shownKey } from './saved-key.ts';
import type { Step } from './step.ts';
import type { TimerHandle } from './timer-handle.ts';

export class Restore {
  /** The last order that a timer had. */
  lastOrder = -1;
  readonly #step: Step;
  readonly #cells: readonly Cells[];
  readonly #handles: ReadonlyMap<string, TimerHandle>;
  /** Timers in the order in which they come; they go into their queues in the order in which they were set. */
  #timers: PendingTimer[] = [];

  constructor(step: Step, cells: readonly Cells[], handles: ReadonlyMap<string, TimerHandle>) {
    this.#step = step;
    this.#cells = cells;
    this.#handles = handles;
  }

  take(saved: Iterable<SavedKey>, takeover: Takeover): void {
    for (const key of saved) this.#takeKey(key, takeover);
    this.#timers.sort((a, b) => a.order - b.order);
    for (const timer of this.#timers) {
      if (this.#step.entries.get(timer.entry.id) !== timer.entry) continue; // a later record of the key replaced it
      this.#handles.get(timer.name)!.queue.add(timer);
      this.lastOrder = Math.max(this.lastOrder, timer.order);
    }
    this.#timers = [];
  }

  #takeKey({ key, data }: SavedKey, { states, timers }: Takeover): void {
    const id = canonicalKey(key)!;
    const there = this.#step.entries.get(id);
    if (there !== undefined) this.#remove(there);
    if (data === undefined) return;
    const content = contentFrom(data, states.length);
    const entry = this.#step.add(id, key);
    for (const [i, taken] of states.entries()) {
      const kept = content.cells[i];
      if (kept && taken !== undefined) this.#takeCell(entry, kept, taken);
    }
    const saved = content.timers;
    for (let i = 0; i < saved.length; i += 3) {
      const name = timers[saved[i]!];
      if (name === undefined) continue;
      const timer = new PendingTimer(entry, name, saved[i + 1]!, saved[i + 2]!);
      timer.live = false; // until it is in its queue
      timer.link();
      this.#timers.push(timer);
    }
    if (entry.live === 0) this.#step.remove(entry);
  }

  #takeCell(entry: Entry, [kept, written]: Kept, { index, migrate, version, keepsTimes }: Taken): void {
    const cells = this.#cells[index]!;
    const times = keepsTimes ? written : undefined;
    let cell: unknown;
    if (migrate === undefined) cell = cells.load(kept, times);
    else {
      try {
        cell = cells.load(migrate(kept), times);
      } catch (thrown) {
        const where = [this.#step.component, cells.name, version, shownKey(entry.key)] as const;
        throw new MillraceError('MR_STATE_MIGRATE', [...where, messageOf(thrown)], thrown);
      }
    }
    if (cell === undefined) return;
    entry.put(index, cell);
    const { lifetime } = cells;
    if (lifetime !== undefined) lifetime.scheduleEnd(entry, cells.end(cell));
  }

  #remove(entry: Entry): void {
    for (let timer = entry.timers; timer !== undefined; timer = timer.next) {
      this.#handles.get(timer.name)!.forget(timer);
    }
    this.#step.remove(entry);
  }
}
