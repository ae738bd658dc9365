/**
 * The current step of a store (law 1): the key it is for, found at most once, and how to take back what it wrote. A step
 * writes to one key only. Writers call `written()` before they change anything, and `note` how to undo each change.
 */
import { MillraceError } from '../errors.ts';
import type { CanonicalKey, Key } from '../topology/key.ts';
import { canonicalKey, notAKey } from '../topology/key.ts';
import { Changes } from './changes.ts';
import { Entry } from './entry.ts';
import { Expiry } from './expiry.ts';
import type { Unloaded } from './unloaded.ts';

/** How to take back one change. */
export interface Undoer {
  undo(before: Before, entry: Entry): void;
  /** After all changes of the step are taken back. */
  undone?(): void;
}

/** What there was before one change; what the fields mean is up to who noted it. Reused from step to step. */
export interface Before {
  by: Undoer;
  kind: number;
  was: unknown;
  part: unknown;
  number: number;
}

/** Notes that are kept for reuse: more than nearly every step makes. */
const KEPT_NOTES = 256;

export class Step {
  readonly component: string;
  readonly entries = new Map<CanonicalKey, Entry>();
  readonly changes = new Changes();
  readonly expiry: Expiry;
  /** What was saved and is not in `entries` yet; undefined: nothing. */
  unloaded: Unloaded | undefined = undefined;
  /** The cells of a new entry beside its first. */
  readonly #blank: readonly undefined[] | undefined;
  #key: Key | undefined;
  #entry: Entry | undefined;
  /** Whether `#entry` is what there is for the key: looked up at the first use. */
  #looked = false;
  #notes: Before[] = [];
  #count = 0;

  constructor(component: string, states: number, now: () => number) {
    this.component = component;
    this.#blank = states > 1 ? new Array<undefined>(states - 1).fill(undefined) : undefined;
    this.expiry = new Expiry(now);
  }

  enter(key: Key | undefined): void {
    this.#key = key;
    this.#entry = undefined;
    this.#looked = false;
    this.expiry.refresh();
  }

  /** Begins a step for a key that has something already, and is written to. */
  enterEntry(entry: Entry): void {
    this.#key = entry.key;
    this.#entry = entry;
    this.#looked = true;
    this.changes.touch(entry);
  }

  /** Until the next `enter` there is no key: a handle that was kept finds nothing to change. */
  commit(): void {
    if (this.#count > 0) this.#end();
    this.#key = undefined;
    this.#looked = false;
  }

  undo(): void {
    const entry = this.#entry;
    const count = this.#count;
    if (count > 0 && entry !== undefined) {
      const notes = this.#notes;
      for (let i = count - 1; i >= 0; i--) notes[i]!.by.undo(notes[i]!, entry);
      for (let i = 0; i < count; i++) notes[i]!.by.undone?.();
      this.#end();
    }
    this.#key = undefined;
    this.#looked = false;
  }

  /** What there is for the current key. `what` is for the error when there is none, as 'state.total'. */
  seen(what: string): Entry | undefined {
    return this.#looked ? this.#entry : this.#look(what);
  }

  /** The entry of the current key, to be written to. */
  written(what: string): Entry {
    const entry = this.seen(what) ?? this.#make();
    this.changes.touch(entry);
    return entry;
  }

  note(by: Undoer, kind: number, was: unknown, part: unknown, number: number): void {
    const at = this.#count++;
    const note = this.#notes[at];
    if (note === undefined) this.#notes.push({ by, kind, was, part, number });
    else {
      note.by = by;
      note.kind = kind;
      note.was = was;
      note.part = part;
      note.number = number;
    }
  }

  /** Removes an entry that holds nothing any more. */
  remove(entry: Entry): void {
    this.entries.delete(entry.id);
    this.expiry.forget(entry);
  }

  find(id: CanonicalKey): Entry | undefined {
    if (this.unloaded !== undefined) this.#load(this.unloaded, id);
    return this.entries.get(id);
  }

  #load(unloaded: Unloaded, id: CanonicalKey): void {
    unloaded.need(id);
    if (unloaded.isEmpty) this.unloaded = undefined;
  }

  /** A new entry for a key that has none. */
  add(id: CanonicalKey, key: Key): Entry {
    const entry = new Entry(id, key, this.#blank?.slice());
    this.entries.set(id, entry);
    return entry;
  }

  #look(what: string): Entry | undefined {
    const key = this.#key;
    if (key === undefined) throw new MillraceError('MR_NO_KEY_HERE', [this.component, what]);
    this.#entry = this.find(this.#id(key));
    this.#looked = true;
    return this.#entry;
  }

  #make(): Entry {
    const key = this.#key!;
    this.#entry = this.add(this.#id(key), key);
    return this.#entry;
  }

  #id(key: Key): CanonicalKey {
    const id = canonicalKey(key);
    if (id === undefined) throw notAKey(`'${this.component}'`, key);
    return id;
  }

  #end(): void {
    const notes = this.#notes;
    if (this.#count > KEPT_NOTES) notes.length = KEPT_NOTES;
    for (let i = Math.min(this.#count, KEPT_NOTES) - 1; i >= 0; i--) {
      notes[i]!.was = undefined; // it may be large
      notes[i]!.part = undefined;
    }
    this.#count = 0;
    const entry = this.#entry;
    if (entry !== undefined && entry.live === 0) this.remove(entry);
  }
}
