/**
 * The seam of keyed state: everything that a task keeps per key, its states and its timers. `keyed-state-suite.ts` is what
 * every store must do.
 *
 * - Law 1: what a step wrote takes effect together, at `commit`, or not at all, after `undo`.
 * - A key that has neither state nor timers is not kept: nothing of it stays.
 * - Law 4: a snapshot is what there was when it began, and steps go on while it is taken.
 * - Law 6: keys come out of a snapshot by key group, and any of them may be given to another store.
 * - Time stands still within a step. What has expired is not seen from the moment on at which it has.
 *
 * All calls are synchronous. Those of a step come as enter … commit or undo, or fire … commit or undo; the others between.
 */
import type { Key } from '../topology/key.ts';
import type { StateSpecs } from '../topology/state-spec.ts';
import type { Timer, TimerDomain, TimerSpecs } from '../topology/timer-spec.ts';
import type { Shapes } from './shape.ts';

export interface KeyedStoreOptions {
  readonly component: string;
  readonly specs: StateSpecs;
  readonly timers: TimerSpecs;
  /** Deep-freezes in tests and in dev, and gives its argument back otherwise. */
  readonly freeze: <T>(value: T) => T;
  /** The wall clock. */
  readonly now: () => number;
}

export interface KeyedStore {
  /** What `prepare` gets: one handle per declared name. Outside of a step with a key they throw MR_NO_KEY_HERE. */
  readonly handles: { readonly [name: string]: unknown };
  readonly timers: { readonly [name: string]: Timer };
  /** Event time, for what lives by it. The engine sets it before each step; it never goes back. */
  watermark: number;
  /** Keys that have state or timers, as far as they are loaded. What has expired counts until it is swept. */
  readonly size: number;
  /** Begins a step for this key; undefined where there is none. */
  enter(key: Key | undefined): void;
  /** The step ended well. */
  commit(): void;
  /** The step failed: states and timers are as before it, and a timer that `fire` took is there again. */
  undo(): void;
  /** The earliest timer of that domain; Infinity if none. */
  next(domain: TimerDomain): number;
  /** The earliest timer of that domain, for who asks from outside. */
  first(domain: TimerDomain): FiredTimer | undefined;
  /** How many timers of that domain are set. */
  pending(domain: TimerDomain): number;
  /**
   * Takes the earliest timer that is due at `upTo`, of those with the same time the one that was set first, and begins a step
   * for its key; undefined if none is due. In the step of an event timer, what lives by event time is seen as of its time.
   */
  fire(domain: TimerDomain, upTo: number): FiredTimer | undefined;
  /** Removes what has expired, looking at about `most` cells; true when there is more to do. */
  sweep(most: number): boolean;
  /** The earliest moment at which something by the clock is to be swept; Infinity if none. */
  readonly nextClockExpiry: number;
  has(key: Key): boolean;
  /** What is kept for a key; undefined if nothing is. Plain data of its own, and nothing changes by looking. */
  read(key: Key): KeyContent | undefined;
  /** The keys that have state or timers. */
  keys(): Iterable<Key>;
  /** Begins a snapshot of what there is now. One at a time. */
  snapshot(what: 'all' | 'changes'): StateSnapshot;
  /**
   * Adds what was saved: the keys of a whole snapshot and then those of the changes since, or the ones of some key groups, from
   * one store or from several. MR_STATE_SHAPE before anything is touched, if the declarations do not fit; `drop` names
   * states and timers whose data is not wanted any more.
   */
  restore(shapes: Shapes, saved: Iterable<SavedKey>, drop?: readonly string[]): void;
  /**
   * As `restore`, of whole key groups, of an empty store, and not all at once where nothing is lost by it: without timers, times
   * to live, and migrations. Then `keysOf` is asked for a group when a step needs one of its keys, or `load` comes to it.
   */
  restoreLater(shapes: Shapes, groups: SavedGroups, drop?: readonly string[]): void;
  /** Restores one more group of those that wait; false: there is none. Between steps. */
  load(): boolean;
}

/** The saved keys of the key groups from `from` up to but without `to`. */
export interface SavedGroups {
  readonly from: number;
  readonly to: number;
  keysOf(group: number): Iterable<SavedKey>;
}

/** A timer that is due. Good until its step ends. */
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

export interface StateSnapshot {
  /** Once for all keys; `restore` needs them. */
  readonly shapes: Shapes;
  /** `changes`: only the keys that changed or went since the snapshot before. The first one is always of all. */
  readonly what: 'all' | 'changes';
  /** All keys were given. */
  readonly done: boolean;
  /** Goes on by `most` keys, and gives those that are ready: by key group, from 0 up. Maybe none. */
  advance(most: number): readonly SavedKey[];
  /** It will not be kept: the next one has what this one would have had. */
  abandon(): void;
}

export interface SavedKey {
  readonly group: number;
  readonly key: Key;
  /** Undefined: the key is gone. */
  readonly data: Uint8Array | undefined;
}
