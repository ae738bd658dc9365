/**
 * Test support: keyed state as naively as possible, in plain objects that are copied whole, for the suite to compare stores
 * with. States: `one`, `sum`, `all`, `byName`; with a time to live, by the clock `oneC` …, by event time `oneE` …
 */
import type { Key } from '../../topology/key.ts';
import { canonicalKey, keyGroup } from '../../topology/key.ts';
import type { ListState, MapState, ReducingState, ValueState } from '../../topology/state-spec.ts';
import type { Timer, TimerDomain } from '../../topology/timer-spec.ts';

export const TTL = { C: 100, E: 150 } as const;
export const TIMERS = { expire: 'event', close: 'event', remind: 'clock' } as const;

interface Part<T> {
  readonly value: T;
  readonly written: number;
}
interface ModelKey {
  readonly key: Key;
  readonly ones: { [name: string]: Part<unknown> };
  readonly lists: { [name: string]: Part<unknown>[] };
  readonly maps: { [name: string]: (Part<unknown> & { readonly name: string | number })[] };
  timers: { readonly name: keyof typeof TIMERS; readonly time: number; readonly order: number }[];
}
export interface Handles {
  readonly one: ValueState<unknown>;
  readonly sum: ReducingState<number, number>;
  readonly all: ListState<unknown>;
  readonly byName: MapState<string | number, unknown>;
}
export type ModelKeys = Map<string, ModelKey>;

const idOf = (key: Key) => `${typeof canonicalKey(key)} ${String(canonicalKey(key))}`;
export const copied = (keys: ModelKeys): ModelKeys => structuredClone(keys);

export class Model {
  keys: ModelKeys = new Map();
  clock = 0;
  eventTime = Number.NEGATIVE_INFINITY;
  #key: Key | undefined;
  #before: ModelKeys = new Map();
  #orders = 0;

  enter(key: Key): void {
    this.#key = key;
    this.#before = copied(this.keys);
  }
  commit(): void {
    this.#key = undefined;
    this.tidy();
  }
  undo(): void {
    this.keys = this.#before;
    this.#key = undefined;
  }

  /** Leaves only keys that have something. */
  tidy(): void {
    for (const [id, { ones, lists, maps, timers }] of this.keys) {
      const parts = [...Object.keys(ones), ...Object.values(lists).flat(), ...Object.values(maps).flat()];
      if (parts.length + timers.length === 0) this.keys.delete(id);
    }
  }

  /** Forgets what has expired. */
  sweep(): void {
    for (const { ones, lists, maps } of this.keys.values()) {
      for (const name of Object.keys(ones)) if (this.#expired(name, ones[name]!)) delete ones[name];
      for (const name of Object.keys(lists)) lists[name] = lists[name]!.filter((part) => !this.#expired(name, part));
      for (const name of Object.keys(maps)) maps[name] = maps[name]!.filter((part) => !this.#expired(name, part));
    }
    this.tidy();
  }

  /** As a store's handles, of the states with this ending. */
  handles(ending: string): Handles {
    return {
      one: { ...this.#one(`one${ending}`), set: (value) => this.#set(`one${ending}`, value) },
      sum: {
        ...this.#one(`sum${ending}`),
        add: (value) => this.#set(`sum${ending}`, (this.#get(`sum${ending}`) as number) + value),
      },
      all: this.#list(`all${ending}`),
      byName: this.#map(`byName${ending}`),
    };
  }

  timer(name: keyof typeof TIMERS): Timer {
    return {
      set: (time) => {
        const made = this.#made();
        if (made.timers.some((timer) => timer.name === name && timer.time === time)) return;
        made.timers.push({ name, time, order: this.#orders++ });
      },
      clear: (time) => {
        const made = this.#made();
        made.timers = made.timers.filter((timer) => timer.name !== name || timer.time !== time);
      },
    };
  }
  timers(): string[] {
    const timers = this.#there()?.timers ?? [];
    return timers.map(({ name, time }) => `${time} ${name}`).sort();
  }

  #one(name: string) {
    return { get: () => this.#get(name) as never, clear: () => void delete this.#made().ones[name] };
  }
  #get(name: string): unknown {
    const part = this.#there()?.ones[name];
    return part === undefined || this.#expired(name, part) ? 0 : part.value;
  }
  #set(name: string, value: unknown): void {
    this.#made().ones[name] = { value, written: this.#now(name) };
  }

  #list(name: string): ListState<unknown> {
    const part = (value: unknown) => ({ value, written: this.#now(name) });
    const parts = () => this.#there()?.lists[name] ?? [];
    const set = (parts: Part<unknown>[]) => {
      this.#made().lists[name] = parts;
    };
    return {
      get: () => parts().flatMap((one) => (this.#expired(name, one) ? [] : [one.value])),
      append: (value) => set([...parts(), part(value)]),
      set: (values) => set(values.map(part)),
      clear: () => set([]),
    };
  }

  #map(name: string): MapState<string | number, unknown> {
    const parts = () => (this.#there()?.maps[name] ?? []).filter((part) => !this.#expired(name, part));
    const set = (parts: ModelKey['maps'][string]) => {
      this.#made().maps[name] = parts;
    };
    const find = (at: string | number) => parts().find((part) => part.name === at);
    return {
      get: (at) => find(at)?.value,
      has: (at) => find(at) !== undefined,
      set: (at, value) => {
        const part = { name: at, value, written: this.#now(name) };
        set(find(at) ? parts().map((other) => (other.name === at ? part : other)) : [...parts(), part]);
      },
      delete: (at) => set(parts().filter((part) => part.name !== at)),
      get size() {
        return parts().length;
      },
      keys: () => parts().map((part) => part.name),
      entries: () => parts().map((part) => [part.name, part.value] as const),
      clear: () => set([]),
    };
  }

  first(domain: TimerDomain): { name: string; time: number; key: Key; order: number } | undefined {
    const all = [...this.keys.values()].flatMap(({ key, timers }) => timers.map((timer) => ({ ...timer, key })));
    return all.filter(({ name }) => TIMERS[name] === domain).sort((a, b) => a.time - b.time || a.order - b.order)[0];
  }
  fire(domain: TimerDomain, upTo: number): { name: string; time: number; key: Key } | undefined {
    const first = this.first(domain);
    if (first === undefined || first.time > upTo) return undefined;
    if (domain === 'event') this.eventTime = Math.max(this.eventTime, first.time);
    this.enter(first.key);
    const made = this.#made();
    made.timers = made.timers.filter(({ order }) => order !== first.order);
    return { name: first.name, time: first.time, key: first.key };
  }

  #there(): ModelKey | undefined {
    return this.keys.get(idOf(this.#key!));
  }
  #made(): ModelKey {
    const id = idOf(this.#key!);
    const there = this.keys.get(id) ?? { key: this.#key!, ones: {}, lists: {}, maps: {}, timers: [] };
    this.keys.set(id, there);
    return there;
  }
  #now(name: string): number {
    return name.endsWith('C') ? this.clock : name.endsWith('E') ? this.eventTime : 0;
  }
  #expired(name: string, { written }: Part<unknown>): boolean {
    if (name.endsWith('C')) return written + TTL.C <= this.clock;
    return name.endsWith('E') && written + TTL.E <= this.eventTime;
  }
}

export const groupOf = (key: Key): number => keyGroup(canonicalKey(key)!);
