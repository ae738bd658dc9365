/**
 * When each key is to be looked at for what has expired. Appointments are rounded up to a multiple of `width`, so that many
 * keys share one, and a key has one at a time; those that were called off are cleaned away when they are many.
 */
import type { Entry } from './entry.ts';
import { TimeHeap } from './time-heap.ts';

/** Those called off that may lie about beside as many that hold. */
const SLACK = 64;

interface Appointment {
  readonly number: number;
  /** How many of the entries still come. */
  live: number;
  entries: Entry[];
}

/** The number for what expires at a time that is not known yet, before all others: it is looked at as soon as time is known. */
const UNDATED = -(2 ** 30);
/** An entry that has none. Small integers, as each key keeps two of these. */
export const NO_APPOINTMENT = UNDATED - 1;

/** Where an entry keeps the number of its appointment. */
export type Field = 'clockSweep' | 'eventSweep';

export class Appointments {
  /** In milliseconds. Set before the first appointment is made. */
  width = Number.POSITIVE_INFINITY;
  readonly #field: Field;
  /** By time ÷ width, from `#base` on. */
  readonly #byNumber = new Map<number, Appointment>();
  readonly #numbers = new TimeHeap();
  /** The first multiple there was. */
  #base: number | undefined;

  constructor(field: Field) {
    this.#field = field;
  }

  /** The time of the earliest; Infinity if none. */
  get next(): number {
    const first = this.#first();
    if (first === undefined) return Number.POSITIVE_INFINITY;
    return first.number === UNDATED ? Number.NEGATIVE_INFINITY : (first.number + this.#base!) * this.width;
  }

  /** Whether the earliest is at a time that was not known when it was made. */
  get isUndated(): boolean {
    return this.#first()?.number === UNDATED;
  }

  /** Makes one for then or soon after, unless the entry has an earlier one. */
  make(entry: Entry, time: number): void {
    const number = this.#numberOf(time);
    const had = entry[this.#field];
    if (had !== NO_APPOINTMENT && had <= number) return;
    this.cancel(entry);
    entry[this.#field] = number;
    const there = this.#byNumber.get(number);
    if (there !== undefined) {
      there.live++;
      there.entries.push(entry);
    } else {
      this.#byNumber.set(number, { number, live: 1, entries: [entry] });
      this.#numbers.push(number);
    }
  }

  #numberOf(time: number): number {
    if (!Number.isFinite(time)) return UNDATED;
    const multiple = Math.ceil(time / this.width);
    this.#base ??= multiple;
    return Math.max(multiple - this.#base, UNDATED + 1);
  }

  cancel(entry: Entry): void {
    const field = this.#field;
    const had = entry[field];
    if (had === NO_APPOINTMENT) return;
    entry[field] = NO_APPOINTMENT;
    const appointment = this.#byNumber.get(had)!;
    this.#left(appointment);
    if (appointment.entries.length > 2 * appointment.live + SLACK) {
      appointment.entries = [...new Set(appointment.entries)].filter((other) => other[field] === had);
    }
  }

  /** One of those who have the earliest, which is over for it. */
  take(): Entry {
    const field = this.#field;
    const appointment = this.#first()!;
    for (;;) {
      const entry = appointment.entries.pop()!;
      if (entry[field] !== appointment.number) continue;
      entry[field] = NO_APPOINTMENT;
      this.#left(appointment);
      return entry;
    }
  }

  #first(): Appointment | undefined {
    const numbers = this.#numbers;
    while (numbers.size > 0 && !this.#byNumber.has(numbers.first)) numbers.pop();
    return this.#byNumber.get(numbers.first);
  }

  #left(appointment: Appointment): void {
    appointment.live--;
    if (appointment.live === 0) this.#byNumber.delete(appointment.number);
  }
}
