/**
 * One process of the simulated machine: its own timers, clock, randomness and handles of the disk, over the time and the
 * disk that all share. Each callback, each write and each answer that it gets is a step, and between any two of them it
 * can be killed or paused. What is dead does nothing any more: its timers do not fire, its promises never settle, its
 * calls throw. What is paused goes on later where it was, and finds the world changed.
 */
import type { World as Senses } from '../../runtime/impersonation.ts';
import { inWorld } from '../../runtime/impersonation.ts';
import type { Clock, Timers } from '../../runtime/runtime.ts';

/** Thrown out of a call of a process that died in it. */
class Died extends Error {
  override readonly name = 'Died';
}

export interface ProcessOptions {
  readonly name: string;
  /** Virtual time, shared. */
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  /** Told of each step before it is done: it may kill or pause the process. */
  readonly onStep: (process: Process) => void;
  /** Refuses what reaches the real world around the simulation. */
  readonly refuse: (what: string) => never;
}

export class Process {
  readonly name: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly timers: Timers;
  state: 'alive' | 'paused' | 'dead' = 'alive';
  readonly #senses: Senses;
  readonly #onStep: (process: Process) => void;
  /** What is to be done when it wakes up. */
  #held: (() => void)[] = [];
  readonly #onDeath: (() => void)[] = [];

  constructor({ name, clock, timers, random, onStep, refuse }: ProcessOptions) {
    this.name = name;
    this.clock = clock;
    this.random = random;
    this.#onStep = onStep;
    this.timers = {
      after: (ms, callback) => {
        let cancelled = false;
        const cancel = timers.after(ms, () =>
          this.enter(() => {
            if (!cancelled) callback();
          }),
        );
        return () => {
          cancelled = true;
          cancel();
        };
      },
      soon: (callback) => timers.soon(() => this.enter(callback)),
    };
    this.#senses = { clock, timers: this.timers, random, refuse };
  }

  /** Runs code of the process: now if it is alive, when it wakes up if it is paused. */
  enter(code: () => void): void {
    if (this.state === 'alive') this.#onStep(this);
    if (this.state === 'paused') this.#held.push(code);
    else if (this.state === 'alive') this.#run(code);
  }

  #run(code: () => void): void {
    try {
      inWorld(this.#senses, code);
    } catch (thrown) {
      // What it throws as it dies nobody hears.
      if (this.state !== 'dead') throw thrown;
    }
  }

  /** Before each call by which it changes something outside of itself. */
  step(): void {
    if (this.state === 'alive') this.#onStep(this);
    if (this.state === 'dead') throw new Died(`${this.name} is dead`);
  }

  /** An answer from outside: it arrives when the process can take it, and never once that is dead. */
  answer<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      promise.then(
        (value) => this.enter(() => resolve(value)),
        (thrown: unknown) => this.enter(() => reject(thrown)),
      );
    });
  }

  pause(): void {
    if (this.state === 'alive') this.state = 'paused';
  }

  /** Goes on with what was held back, in order, each a callback of its own. */
  resume(): void {
    if (this.state !== 'paused') return;
    this.state = 'alive';
    const held = this.#held;
    this.#held = [];
    for (const code of held) this.timers.soon(code);
  }

  /** What becomes of what it holds, such as locks, when it dies. */
  onDeath(released: () => void): void {
    this.#onDeath.push(released);
  }

  kill(): void {
    if (this.state === 'dead') return;
    this.state = 'dead';
    this.#held = [];
    for (const released of this.#onDeath) released();
  }
}
