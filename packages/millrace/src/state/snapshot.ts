/**
 * A snapshot of a store as it was when the snapshot began, taken in slices while steps go on. A key that a step is about to
 * write to is saved just before, if the snapshot has not come to it, so that nothing is copied that does not change.
 */

import type { CanonicalKey } from '../topology/key.ts';
import { KEY_GROUPS } from '../topology/key.ts';
import type { Changes, Watcher } from './changes.ts';
import type { Entry } from './entry.ts';
import type { Expiry, Moment } from './expiry.ts';
import type { SavedKey, StateSnapshot } from './keyed-store.ts';
import type { Declared } from './saved-key.ts';
import { saveKey } from './saved-key.ts';
import type { Shapes } from './shape.ts';

interface Store {
  readonly shapes: Shapes;
  readonly changes: Changes;
  readonly declared: Declared;
  readonly expiry: Expiry;
}

const NONE: readonly never[] = [];

export class Snapshot implements StateSnapshot, Watcher {
  readonly shapes: Shapes;
  readonly what: 'all' | 'changes';
  readonly #changes: Changes;
  readonly #declared: Declared;
  readonly #expiry: Expiry;
  /** What expires later is in it. */
  readonly #began: Moment;
  /** What changed before the snapshot began. */
  readonly #changed: Map<CanonicalKey, Entry> | undefined;
  /** Below: not written to since the snapshot began. The mark itself: saved, and not written to since. */
  readonly #mark: number;
  /** By key group; most have none, since few keys change between two checkpoints. */
  readonly #groups: (Entry[] | undefined)[] = new Array(KEY_GROUPS);
  /** Saved before the snapshot came to them. */
  readonly #early: (SavedKey[] | undefined)[] = new Array(KEY_GROUPS);
  readonly #keys: Iterator<SavedKey | undefined>;
  #failed: { readonly error: unknown } | undefined;
  #done = false;

  constructor(
    what: 'all' | 'changes',
    { shapes, changes, declared, expiry }: Store,
    entries: ReadonlyMap<CanonicalKey, Entry>,
  ) {
    this.#expiry = expiry;
    this.#began = expiry.moment;
    this.shapes = shapes;
    this.#changes = changes;
    this.#declared = declared;
    this.#changed = changes.begin();
    this.what = this.#changed === undefined ? 'all' : what;
    this.#mark = 2 * changes.epoch;
    this.#keys = this.#inGroups((this.what === 'all' ? entries : this.#changed!).values());
    changes.watcher = this;
  }

  get done(): boolean {
    return this.#done;
  }

  advance(most: number): readonly SavedKey[] {
    if (this.#failed) throw this.#failed.error;
    return this.#expiry.at(this.#began, () => {
      const ready: SavedKey[] = [];
      for (let i = 0; i < most && !this.#done; i++) {
        const { done, value } = this.#keys.next();
        if (done) this.#end();
        else if (value !== undefined) ready.push(value);
      }
      return ready;
    });
  }

  abandon(): void {
    this.#end();
    const { dirty } = this.#changes;
    if (this.#changed === undefined) this.#changes.dirty = undefined;
    else for (const [id, entry] of this.#changed) if (dirty?.has(id) === false) dirty.set(id, entry);
  }

  before(entry: Entry): void {
    if (this.what === 'changes' && this.#changed!.get(entry.id) !== entry) return;
    try {
      const saved = this.#expiry.at(this.#began, () => saveKey(entry, this.#declared));
      if (this.#isWanted(saved)) add(this.#early, entry.group, saved);
    } catch (error) {
      this.#failed ??= { error }; // not the fault of the step that is going on
    }
  }

  /** First finds each key's group, then saves the keys; undefined where there is nothing to give yet. */
  *#inGroups(entries: Iterable<Entry>): Generator<SavedKey | undefined> {
    for (const entry of entries) {
      add(this.#groups, entry.group, entry);
      yield undefined;
    }
    for (let group = 0; group < KEY_GROUPS; group++) {
      for (const entry of this.#groups[group] ?? NONE) {
        if (entry.mark >= this.#mark) continue; // saved early, or made since
        entry.mark = this.#mark;
        const saved = saveKey(entry, this.#declared);
        yield this.#isWanted(saved) ? saved : undefined;
      }
      this.#groups[group] = undefined;
      yield* this.#early[group] ?? NONE;
      this.#early[group] = undefined;
    }
  }

  #isWanted({ data }: SavedKey): boolean {
    return data !== undefined || this.what === 'changes';
  }

  #end(): void {
    this.#done = true;
    if (this.#changes.watcher === this) this.#changes.watcher = undefined;
  }
}

/** Most groups of a small snapshot stay without a list. */
function add<T>(groups: (T[] | undefined)[], group: number, item: T): void {
  const there = groups[group];
  if (there === undefined) groups[group] = [item];
  else there.push(item);
}
