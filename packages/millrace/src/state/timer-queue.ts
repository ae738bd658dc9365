/**
 * Timers in the order in which they are due: by time, those of the same time by `order`. Adding, removing and taking cost
 * O(log of the distinct times) at most: timers of one time share a bucket, and only times are in the heap. A timer that is
 * put back (an undone step) comes to where it was.
 */
import type { PendingTimer } from './entry.ts';
import { TimeHeap } from './time-heap.ts';

/** Dead timers and times that a bucket or the heap may hold beside the live ones before it is cleaned. */
const SLACK = 64;

export class TimerQueue {
  /** The time of the earliest timer; Infinity if none. */
  next = Number.POSITIVE_INFINITY;
  size = 0;
  /** A time that has one timer has no bucket. */
  readonly #at = new Map<number, PendingTimer | Bucket>();
  /** Each time of `#at`, and maybe others that have gone since. */
  readonly #times = new TimeHeap();

  add(timer: PendingTimer): void {
    timer.live = true;
    this.size++;
    const { time } = timer;
    const there = this.#at.get(time);
    if (there === undefined) {
      this.#at.set(time, timer);
      this.#times.push(time);
      if (time < this.next) this.next = time;
    } else if (there instanceof Bucket) there.add(timer);
    else this.#at.set(time, new Bucket(there, timer));
  }

  remove(timer: PendingTimer): void {
    timer.live = false;
    this.size--;
    const there = this.#at.get(timer.time);
    if (there === timer) this.#gone(timer.time);
    else if (there instanceof Bucket && there.remove() === 0) this.#gone(timer.time);
  }

  /** The earliest timer. */
  get first(): PendingTimer | undefined {
    const there = this.#at.get(this.next);
    return there instanceof Bucket ? there.first : there;
  }

  /** Removes the earliest timer, and gives it. */
  take(): PendingTimer | undefined {
    const time = this.next;
    const there = this.#at.get(time);
    if (there === undefined) return undefined;
    this.size--;
    if (!(there instanceof Bucket)) {
      there.live = false;
      this.#gone(time);
      return there;
    }
    const first = there.take();
    first.live = false;
    if (there.live === 0) this.#gone(time);
    return first;
  }

  #gone(time: number): void {
    const at = this.#at;
    at.delete(time);
    const times = this.#times;
    if (time === this.next) {
      while (times.size > 0 && !at.has(times.first)) times.pop();
      this.next = times.first;
    }
    if (times.size > 2 * at.size + SLACK) times.replace(at.keys());
  }
}

/** The timers of one time, from `#head` on in their order; among them dead ones. */
class Bucket {
  live = 2;
  #timers: (PendingTimer | undefined)[];
  #head = 0;

  constructor(one: PendingTimer, other: PendingTimer) {
    this.#timers = one.order < other.order ? [one, other] : [other, one];
  }

  add(timer: PendingTimer): void {
    this.live++;
    const timers = this.#timers;
    const last = timers.at(-1);
    if (last === undefined || (last !== timer && last.order <= timer.order)) timers.push(timer);
    else this.#insert(timer);
  }

  #insert(timer: PendingTimer): void {
    const timers = this.#timers;
    let low = this.#head;
    let high = timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (timers[middle]!.order < timer.order) low = middle + 1;
      else high = middle;
    }
    // It was dead, and may not have been cleaned away; stores that became one may have had timers of the same order.
    for (let i = low; timers[i]?.order === timer.order; i++) if (timers[i] === timer) return;
    if (low === this.#head && low > 0) timers[--this.#head] = timer;
    else timers.splice(low, 0, timer);
  }

  /** One of them is dead; gives how many are not. */
  remove(): number {
    this.live--;
    if (this.#timers.length - this.#head > 2 * this.live + SLACK) {
      this.#timers = this.#timers.filter((timer) => timer?.live);
      this.#head = 0;
    }
    return this.live;
  }

  /** Those in front that are dead go. */
  get first(): PendingTimer {
    const timers = this.#timers;
    let first = timers[this.#head]!;
    while (!first.live) {
      timers[this.#head++] = undefined;
      first = timers[this.#head]!;
    }
    return first;
  }

  take(): PendingTimer {
    const { first } = this;
    this.#timers[this.#head++] = undefined;
    this.live--;
    return first;
  }
}
