/**
 * Saved keys that are not in the store yet: whole key groups, each restored before a step looks for one of its keys, or when
 * its turn comes in the background. So a start with millions of keys need not wait for all of them.
 */
import type { CanonicalKey } from '../topology/key.ts';
import { keyGroup } from '../topology/key.ts';

export class Unloaded {
  readonly #groups = new Set<number>();
  readonly #load: (group: number) => void;

  /** Of the key groups from `from` up to but without `to`. */
  constructor(from: number, to: number, load: (group: number) => void) {
    for (let group = from; group < to; group++) this.#groups.add(group);
    this.#load = load;
  }

  get isEmpty(): boolean {
    return this.#groups.size === 0;
  }

  /** Somebody looks for this key. */
  need(id: CanonicalKey): void {
    const group = keyGroup(id);
    if (this.#groups.delete(group)) this.#load(group);
  }

  /** One group more. */
  next(): void {
    for (const group of this.#groups) {
      this.#groups.delete(group);
      return this.#load(group);
    }
  }
}
