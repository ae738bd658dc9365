/**
 * Which start of a topology it is. Each has an empty file named by its number, made by exactly one: that is the
 * compare-and-set. Files of older claims go when a newer one is durable, so only the newest can be told for sure.
 */
import type { Storage } from '../runtime/storage.ts';
import { claimed, claimName } from './names.ts';

export class Claims {
  readonly #storage: Storage;
  readonly #folder: string;

  constructor(storage: Storage, folder: string) {
    this.#storage = storage;
    this.#folder = folder;
  }

  /** 0: nobody has claimed anything. */
  newest(): number {
    return Math.max(0, ...this.#all());
  }

  /** A number above all others and above `least`; it is nobody else's, and stays that through a power cut. */
  async next(least: number): Promise<number> {
    for (;;) {
      const own = Math.max(this.newest(), least) + 1;
      if (!this.#storage.createNew(this.#path(own))) continue;
      // If a newer one is there, this one's file may have been removed before, and given to somebody.
      if (this.newest() > own) continue;
      await this.#storage.syncDirectory(this.#folder);
      for (const older of this.#all()) if (older < own) this.#forget(older);
      return own;
    }
  }

  /** Another start may do the same. */
  #forget(incarnation: number): void {
    try {
      this.#storage.remove(this.#path(incarnation));
    } catch {}
  }

  #all(): number[] {
    return this.#storage.list(this.#folder).flatMap((name) => claimed(name) ?? []);
  }

  #path(incarnation: number): string {
    return `${this.#folder}/${claimName(incarnation)}`;
  }
}
