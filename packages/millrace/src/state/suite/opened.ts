/** Test support: a store with its handles typed, and steps as functions. */
import type { Key } from '../../topology/key.ts';
import type { StateHandles, StateSpecs } from '../../topology/state-spec.ts';
import type { Timer, TimerSpecs } from '../../topology/timer-spec.ts';
import type { KeyedStore, KeyedStoreOptions, SavedKey, StateSnapshot } from '../keyed-store.ts';

export type OpenStore = (options: KeyedStoreOptions) => KeyedStore;

/** Freezes as tests and `dev` do, or not. */
export type Freeze = <T>(value: T) => T;

interface Options<S extends StateSpecs, T extends TimerSpecs> {
  readonly state?: S;
  readonly timers?: T;
  readonly freeze?: Freeze;
  readonly clock?: { now: number };
}

const asItIs: Freeze = (value) => value;

export function opened<S extends StateSpecs = Record<never, never>, T extends TimerSpecs = Record<never, never>>(
  open: OpenStore,
  { state, timers, freeze = asItIs, clock = { now: 0 } }: Options<S, T>,
) {
  const store = open({ component: 'b', specs: state ?? {}, timers: timers ?? {}, freeze, now: () => clock.now });
  return {
    store,
    clock,
    state: store.handles as StateHandles<S>,
    timers: store.timers as { readonly [N in keyof T]: Timer },
    /** A step that ends well; gives what it gives. */
    step<R>(key: Key, run: () => R): R {
      store.enter(key);
      const result = run();
      store.commit();
      return result;
    },
    /** A step that is undone. */
    failed(key: Key, run: () => void): void {
      store.enter(key);
      run();
      store.undo();
    },
    /** Tells all timers up to a time, each in a step without writes. */
    told(domain: 'event' | 'clock', upTo: number): string[] {
      const told: string[] = [];
      for (let timer = store.fire(domain, upTo); timer; timer = store.fire(domain, upTo)) {
        told.push(`${timer.time} ${timer.name} ${String(timer.key)}`);
        store.commit();
      }
      return told;
    },
    swept(): void {
      while (store.sweep(1));
    },
  };
}

/** All of a snapshot, taken in small slices. */
export function whole(snapshot: StateSnapshot): SavedKey[] {
  const saved: SavedKey[] = [];
  while (!snapshot.done) saved.push(...snapshot.advance(3));
  return saved;
}
