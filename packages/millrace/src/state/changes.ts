/**
 * Which keys were written to since a snapshot began. Marks are numbers in the order of time: while the snapshot of epoch e
 * is taken, an entry's mark is below 2e if it was not written to since and the snapshot has not come to it, 2e if the
 * snapshot has, and 2e + 1 if it was written to since.
 */
import type { CanonicalKey } from '../topology/key.ts';
import type { Entry } from './entry.ts';

/** Is told of a key just before it is written to for the first time since the snapshot began. */
export interface Watcher {
  before(entry: Entry): void;
}

export class Changes {
  /** The keys that changed or went since the last snapshot began; undefined before the first one. */
  dirty: Map<CanonicalKey, Entry> | undefined = undefined;
  watcher: Watcher | undefined = undefined;
  #epoch = 0;
  /** The mark of what was written to in this epoch. */
  #written = 1;

  get epoch(): number {
    return this.#epoch;
  }

  touch(entry: Entry): void {
    if (entry.mark !== this.#written) this.#first(entry);
  }

  /** Begins an epoch, and gives what changed in the one that ends; undefined if that was not written down. */
  begin(): Map<CanonicalKey, Entry> | undefined {
    const { dirty } = this;
    this.dirty = new Map();
    this.#epoch++;
    this.#written = 2 * this.#epoch + 1;
    return dirty;
  }

  #first(entry: Entry): void {
    if (this.watcher !== undefined && entry.mark < this.#written - 1) this.watcher.before(entry);
    entry.mark = this.#written;
    this.dirty?.set(entry.id, entry);
  }
}
