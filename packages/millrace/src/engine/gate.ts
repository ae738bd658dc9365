/**
 * Bounded memory (law 9). Each component has a gate. A task whose queue is at its bound says `full`, which closes the
 * gates of every component upstream of it. Whoever starts a step there (a spout, a promise's result, a tick, a
 * generator) looks at its own gate first and waits until it opens. As a topology has no cycle, what is furthest
 * downstream always goes on, so gates always open again.
 *
 * A gate opens in the middle of somebody's step, and one step must not run inside another (law 2): what the inner one
 * emits would overtake the rest of the outer one. So those who wait are called soon, from outside of any step.
 */
import type { Timers } from '../runtime/runtime.ts';
import { Fifo } from './fifo.ts';

export class Gate {
  readonly #timers: Timers;
  readonly #isSpout: boolean;
  readonly #upstream = new Set<Gate>();
  #full = 0;
  /** Queues of this component that are at their bound. */
  #own = 0;
  readonly #waiting = new Fifo<() => void>();
  #calling = false;
  readonly #always: (() => void)[] = [];

  constructor(timers: Timers, isSpout = false) {
    this.#timers = timers;
    this.#isSpout = isSpout;
  }

  /** Closed while a queue downstream is full. */
  get closed(): boolean {
    return this.#full > 0;
  }

  /** `gate` and all that is upstream of it are upstream of this one. */
  addUpstream(gate: Gate): void {
    this.#upstream.add(gate);
    for (const further of gate.#upstream) this.#upstream.add(further);
  }

  /** `closes`: all that is upstream, or only the spouts there, where the others must be able to go on. */
  full(closes: 'upstream' | 'spouts' = 'upstream'): void {
    this.#own++;
    for (const gate of this.#upstream) if (closes === 'upstream' || gate.#isSpout) gate.#full++;
  }

  roomAgain(closed: 'upstream' | 'spouts' = 'upstream'): void {
    this.#own--;
    for (const gate of this.#upstream) if (closed === 'upstream' || gate.#isSpout) gate.#open();
  }

  /** Whether a full queue of this component is a reason for that gate to be closed. */
  closes(gate: Gate): boolean {
    return this.#own > 0 && this.#upstream.has(gate);
  }

  /** Calls back once, when the gate is open and its turn has come; those who came first are first. */
  whenOpen(callback: () => void): void {
    this.#waiting.push(callback);
  }

  /** Calls back each time the gate opens again, in the step that opens it: to wake somebody, not to start a step. */
  whenOpens(callback: () => void): void {
    this.#always.push(callback);
  }

  #open(): void {
    if (--this.#full > 0) return;
    if (this.#waiting.length > 0 && !this.#calling) {
      this.#calling = true;
      this.#timers.soon(() => this.#callWaiting());
    }
    for (const callback of this.#always) callback();
  }

  /** Those whose turn has not come when the gate closes again keep their place. */
  #callWaiting(): void {
    this.#calling = false;
    for (let left = this.#waiting.length; left > 0 && !this.closed; left--) this.#waiting.shift()!();
  }
}

/** What waits in front of one task, against its bound. */
export class Room {
  readonly #gate: Gate;
  readonly #bound: number;
  readonly #closes: 'upstream' | 'spouts';
  #used = 0;

  constructor(gate: Gate, bound: number, closes: 'upstream' | 'spouts' = 'upstream') {
    this.#gate = gate;
    this.#bound = bound;
    this.#closes = closes;
  }

  get used(): number {
    return this.#used;
  }
  get isFull(): boolean {
    return this.#used >= this.#bound;
  }
  take(): void {
    if (++this.#used === this.#bound) this.#gate.full(this.#closes);
  }
  give(): void {
    if (this.#used-- === this.#bound) this.#gate.roomAgain(this.#closes);
  }
}
