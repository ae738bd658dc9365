/** The handle of one declared timer. A key's timers hang on its entry; that one is set twice is found there. */
import { MillraceError } from '../errors.ts';
import type { Timer, TimerDomain } from '../topology/timer-spec.ts';
import { type Entry, PendingTimer } from './entry.ts';
import type { Before, Step, Undoer } from './step.ts';
import type { TimerQueue } from './timer-queue.ts';

const SET = 0;
/** Cleared, or told. */
const TAKEN = 1;
/** Timers that are looked through one by one; a key that has more gets an index. */
const FEW = 16;

export class TimerHandle implements Timer, Undoer {
  readonly name: string;
  readonly domain: TimerDomain;
  readonly queue: TimerQueue;
  readonly #what: string;
  readonly #step: Step;
  readonly #order: () => number;
  /** By time, for keys that have many timers. */
  readonly #crowded = new Map<Entry, Map<number, PendingTimer>>();

  constructor(step: Step, name: string, domain: TimerDomain, queue: TimerQueue, order: () => number) {
    this.#step = step;
    this.name = name;
    this.domain = domain;
    this.queue = queue;
    this.#what = `timers.${name}`;
    this.#order = order;
  }

  set(time: number): void {
    if (!Number.isFinite(time)) {
      throw new MillraceError('MR_TIMER_TIME', [this.#step.component, this.name, time]);
    }
    const there = this.#step.seen(this.#what);
    if (there !== undefined && this.#find(there, time) !== undefined) return;
    const timer = new PendingTimer(this.#step.written(this.#what), this.name, time, this.#order());
    this.add(timer);
    this.#step.note(this, SET, undefined, timer, 0);
  }

  clear(time: number): void {
    const there = this.#step.seen(this.#what);
    const timer = there === undefined ? undefined : this.#find(there, time);
    if (timer === undefined) return;
    this.#step.written(this.#what);
    this.queue.remove(timer);
    this.took(timer);
  }

  /** A timer has left the queue in this step. */
  took(timer: PendingTimer): void {
    this.#unlink(timer);
    this.#step.note(this, TAKEN, undefined, timer, 0);
  }

  /** Into the queue, and to its key. */
  add(timer: PendingTimer): void {
    timer.link();
    this.#crowded.get(timer.entry)?.set(timer.time, timer);
    this.queue.add(timer);
  }

  /** Its key is replaced by another. */
  forget(timer: PendingTimer): void {
    if (timer.live) this.queue.remove(timer);
    this.#crowded.delete(timer.entry);
  }

  undo({ kind, part }: Before): void {
    const timer = part as PendingTimer;
    if (kind === TAKEN) this.add(timer);
    else {
      this.queue.remove(timer);
      this.#unlink(timer);
    }
  }

  #unlink(timer: PendingTimer): void {
    timer.unlink();
    const index = this.#crowded.size === 0 ? undefined : this.#crowded.get(timer.entry);
    if (index === undefined) return;
    index.delete(timer.time);
    if (index.size === 0) this.#crowded.delete(timer.entry);
  }

  #find(entry: Entry, time: number): PendingTimer | undefined {
    const { name } = this;
    let timer = entry.timers;
    for (let seen = 0; timer !== undefined && seen < FEW; seen++, timer = timer.next) {
      if (timer.time === time && timer.name === name) return timer;
    }
    return timer === undefined ? undefined : this.#index(entry).get(time);
  }

  #index(entry: Entry): Map<number, PendingTimer> {
    let index = this.#crowded.get(entry);
    if (index === undefined) {
      index = new Map();
      for (let timer = entry.timers; timer !== undefined; timer = timer.next) {
        if (timer.name === this.name) index.set(timer.time, timer);
      }
      if (index.size > 0) this.#crowded.set(entry, index);
    }
    return index;
  }
}
