/** INTERIM, by the lead, so that the engine runs meanwhile: STATE replaces this whole file. */
import { canonicalKey } from '../topology/key.ts';
import type { Key } from '../topology/key.ts';
import type { StateSpecs } from '../topology/state-spec.ts';
import type { Timer, TimerDomain, TimerSpecs } from '../topology/timer-spec.ts';
import { VolatileState } from './volatile.ts';

interface T { name: string; time: number; key: Key; domain: TimerDomain }
export class KeyedState {
  readonly handles: { readonly [name: string]: unknown };
  readonly timers: { readonly [name: string]: Timer };
  watermark = -Infinity;
  readonly nextClockExpiry = Infinity;
  readonly size = 0;
  readonly #cells: VolatileState;
  #list: T[] = [];
  #before: T[] | undefined;
  #key: Key | undefined;
  constructor(o: { component: string; specs: StateSpecs; timers: TimerSpecs; freeze: <V>(v: V) => V; now: () => number }) {
    this.#cells = new VolatileState(o.component, o.specs, o.freeze);
    this.handles = this.#cells.handles;
    this.timers = Object.fromEntries(Object.entries(o.timers).map(([name, domain]) => [name, {
      set: (time: number) => { this.#save(); const k = this.#key!; if (!this.#list.some((t) => t.name === name && t.time === time && canonicalKey(t.key) === canonicalKey(k))) this.#list.push({ name, time, key: k, domain }); },
      clear: (time: number) => { this.#save(); const k = this.#key!; this.#list = this.#list.filter((t) => !(t.name === name && t.time === time && canonicalKey(t.key) === canonicalKey(k))); },
    }]));
  }
  #save(): void { this.#before ??= [...this.#list]; }
  enter(key: Key | undefined): void { this.#key = key; this.#cells.key = key; }
  commit(): void { this.#cells.commit(); this.#before = undefined; }
  undo(): void { this.#cells.undo(); if (this.#before) this.#list = this.#before; this.#before = undefined; }
  next(domain: TimerDomain): number { let n = Infinity; for (const t of this.#list) if (t.domain === domain && t.time < n) n = t.time; return n; }
  fire(domain: TimerDomain, upTo: number): { name: string; time: number; key: Key } | undefined {
    const at = this.next(domain);
    if (at > upTo || at === Infinity) return undefined;
    this.#save();
    const t = this.#list.find((x) => x.domain === domain && x.time === at)!;
    this.#list = this.#list.filter((x) => x !== t);
    this.enter(t.key);
    return t;
  }
  sweep(_most: number): boolean { return false; }
}
