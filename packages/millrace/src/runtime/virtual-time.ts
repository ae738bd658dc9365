/**
 * Time that passes only when it is told to.
 *
 * The order is fixed: what `soon` was given, in order; then the timers that are due, by time and then by age; and after
 * each single callback every promise that can go on does, before the next callback runs. So a run is decided by what the
 * program does, and by nothing else.
 *
 * When have all promises gone on? Their reactions are microtasks, and Node runs all of those, and the ones that they
 * add, before it turns to the next `setImmediate`. So one turn of the real loop is waited for after each callback. What
 * a promise waits for beyond that is a virtual timer, which `advance` brings, or the real world (a file read with
 * node:fs, a hash made on another thread), which comes when it likes: virtual time does not wait for it.
 */
import { MillraceError } from '../errors.ts';
import type { Clock, Timers } from './runtime.ts';

const { setImmediate } = globalThis;

/** So many callbacks at one instant of virtual time are taken for an endless loop. */
const MOST_AT_ONCE = 100_000;

interface Timer {
  readonly due: number;
  readonly age: number;
  /** Undefined once it is cancelled or has run. */
  callback: (() => void) | undefined;
}

export class VirtualTime {
  readonly clock: Clock;
  readonly timers: Timers;
  #now: number;
  #age = 0;
  #soon: (() => void)[] = [];
  /** A binary heap, the next timer first. */
  #heap: Timer[] = [];
  #cancelled = 0;
  #busy = false;

  constructor(start: number) {
    this.#now = start;
    // As on a real machine, the wall clock counts whole milliseconds.
    this.clock = { now: () => Math.floor(this.#now), monotonic: () => this.#now - start };
    this.timers = {
      after: (ms, callback) => this.#after(ms, callback),
      soon: (callback) => void this.#soon.push(callback),
    };
  }

  /** Runs all that is to be done now, and lets `ms` milliseconds pass, with the timers that come due on the way. */
  advance(ms: number): Promise<void> {
    return this.#alone(async () => {
      const end = this.#now + ms;
      await this.#settle();
      for (let next = this.#next(); next && next.due <= end; next = this.#next()) {
        this.#now = next.due;
        await this.#settle();
      }
      this.#now = end;
    });
  }

  /** Lets time pass until the promise is settled; MR_STUCK when it never will be, or not within `limit` milliseconds. */
  async until<T>(promise: Promise<T>, limit: number): Promise<T> {
    let settled = false;
    const note = () => {
      settled = true;
    };
    promise.then(note, note);
    await this.#alone(async () => {
      const end = this.#now + limit;
      await this.#settle();
      while (!settled) {
        const next = this.#next();
        if (!next) throw this.#stuck('nothing is left to do, so it would never be settled');
        if (next.due > end) throw this.#stuck(`it is not settled after ${limit} ms`);
        this.#now = next.due;
        await this.#settle();
      }
    });
    return promise;
  }

  async #alone(run: () => Promise<void>): Promise<void> {
    if (this.#busy)
      throw new MillraceError('MR_STUCK', ['advance', this.#now, 'the last one is not done: await it first']);
    this.#busy = true;
    try {
      await run();
    } finally {
      this.#busy = false;
    }
  }

  #stuck(why: string): MillraceError {
    return new MillraceError('MR_STUCK', ['the promise that is waited for', this.#now, why]);
  }

  async #settle(): Promise<void> {
    await turn();
    let ran = 0;
    // In rounds, so that neither callbacks that ask for `soon` again nor timers of 0 ms starve the others.
    for (;;) {
      const round = this.#soon;
      this.#soon = [];
      const age = this.#age;
      const before = ran;
      for (const callback of round) {
        callback();
        ran++;
        await turn();
      }
      for (let timer = this.#next(); timer && timer.due <= this.#now && timer.age < age; timer = this.#next()) {
        this.#remove();
        const callback = timer.callback!;
        timer.callback = undefined;
        callback();
        ran++;
        await turn();
      }
      if (ran === before && this.#soon.length === 0 && !this.#isDue()) return;
      if (ran > MOST_AT_ONCE)
        throw new MillraceError('MR_STUCK', [
          'the run',
          this.#now,
          `${ran} callbacks have run and time has not moved: something asks to run again and again`,
        ]);
    }
  }

  #isDue(): boolean {
    const next = this.#next();
    return next !== undefined && next.due <= this.#now;
  }

  #after(ms: number, callback: () => void): () => void {
    const timer: Timer = { due: this.#now + (ms > 0 ? ms : 0), age: this.#age++, callback };
    this.#heap.push(timer);
    this.#rise(this.#heap.length - 1);
    return () => {
      if (!timer.callback) return;
      timer.callback = undefined;
      this.#cancelled++;
      if (this.#cancelled > 1000 && this.#cancelled > this.#heap.length / 2) this.#sweep();
    };
  }

  /** Cancelled timers stay in the heap until they come up, or are most of it. */
  #sweep(): void {
    this.#heap = this.#heap.filter((timer) => timer.callback).sort((a, b) => (before(a, b) ? -1 : 1));
    this.#cancelled = 0;
  }

  #next(): Timer | undefined {
    while (this.#heap[0] && !this.#heap[0].callback) {
      this.#remove();
      this.#cancelled--;
    }
    return this.#heap[0];
  }

  #rise(at: number): void {
    const heap = this.#heap;
    for (let parent = (at - 1) >> 1; at > 0 && before(heap[at]!, heap[parent]!); parent = (at - 1) >> 1) {
      [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
      at = parent;
    }
  }

  #remove(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    heap[0] = last;
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < heap.length && before(heap[child]!, heap[least]!)) least = child;
      if (least === at) return;
      [heap[at], heap[least]] = [heap[least]!, heap[at]!];
      at = least;
    }
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.due < b.due || (a.due === b.due && a.age < b.age);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
