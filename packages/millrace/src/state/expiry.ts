/**
 * Time to live: what time it is, and which keys have to be looked at when. A write does not move its key's appointment
 * when there is an earlier one, and appointments are rounded up, so that keys share them; what is not seen any more may
 * therefore stay in memory for a sixteenth of its time to live longer.
 */
import { milliseconds } from '../duration.ts';
import type { Ttl } from '../topology/state-spec.ts';
import type { TimerDomain } from '../topology/timer-spec.ts';
import { Appointments } from './appointments.ts';
import type { Entry } from './entry.ts';

const NEVER = Number.POSITIVE_INFINITY;
const UNKNOWN = Number.NEGATIVE_INFINITY;
const DOMAINS = ['clock', 'event'] as const;

export function spanOf(ttl: Ttl): { readonly domain: TimerDomain; readonly ms: number } {
  if (typeof ttl !== 'object') return { domain: 'clock', ms: milliseconds(ttl) };
  return 'event' in ttl
    ? { domain: 'event', ms: milliseconds(ttl.event) }
    : { domain: 'clock', ms: milliseconds(ttl.clock) };
}

/** A moment by both times. */
export interface Moment {
  readonly clock: number;
  readonly eventTime: number;
}

export class Expiry {
  readonly #now: () => number;
  /** The clock in this step; NaN until it is asked for. */
  #clock = Number.NaN;
  #watermark = UNKNOWN;
  /** Event time in this step. */
  #eventTime = UNKNOWN;
  /** The first watermark: what was written before it counts from it. */
  #began = NEVER;
  readonly #appointments = [new Appointments('clockSweep'), new Appointments('eventSweep')] as const;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** How long the cells of a state live. Called before anything is written. */
  lifetime(ttl: Ttl): Lifetime {
    const { domain, ms: span } = spanOf(ttl);
    const lifetime = new Lifetime(this, domain, span);
    const appointments = this.#of(lifetime.index);
    appointments.width = Math.min(appointments.width, Math.max(1, Math.ceil(span / 16)));
    return lifetime;
  }

  /** A step begins: time stands still while it lasts. */
  refresh(): void {
    this.#clock = Number.NaN;
    if (this.#watermark > this.#eventTime) this.#eventTime = this.#watermark;
  }

  /**
   * A step begins, for an event timer: it is told as of its own time, so that what it finds does not depend on how far the
   * watermark came at once. Event time does not go back for it.
   */
  refreshAt(time: number): void {
    this.#clock = Number.NaN;
    if (time > this.#eventTime && time < Number.MAX_VALUE) this.#eventTime = time;
  }

  /** The end of the input is no moment at which anything expires. */
  set watermark(time: number) {
    if (time === NEVER) return;
    if (this.#began === NEVER && time !== UNKNOWN) this.#began = time;
    this.#watermark = time;
  }

  time(index: number): number {
    if (index === 1) return this.#eventTime;
    if (Number.isNaN(this.#clock)) this.#clock = this.#now();
    return this.#clock;
  }

  get moment(): Moment {
    return { clock: this.time(0), eventTime: this.#eventTime };
  }

  /** What `look` gives when it is that moment. */
  at<T>({ clock, eventTime }: Moment, look: () => T): T {
    const now = { clock: this.#clock, eventTime: this.#eventTime };
    this.#clock = clock;
    this.#eventTime = eventTime;
    try {
      return look();
    } finally {
      this.#clock = now.clock;
      this.#eventTime = now.eventTime;
    }
  }

  /** The moment that something written at `written` counts from, as far as it is known. */
  dated(index: number, written: number): number {
    return index === 1 && written === UNKNOWN && this.#began !== NEVER ? this.#began : written;
  }

  /** From when on something written at `written` is expired. */
  end(index: number, written: number, ms: number): number {
    return (index === 1 && written === UNKNOWN ? this.#began : written) + ms;
  }

  /** Sees to it that the key is looked at when what expires at `end` has. */
  schedule(entry: Entry, index: number, end: number): void {
    this.#of(index).make(entry, end);
  }

  forget(entry: Entry): void {
    for (const appointments of this.#appointments) appointments.cancel(entry);
  }

  next(index: number): number {
    return this.#of(index).next;
  }

  /** Whether a key has to be looked at now. */
  due(index: number): boolean {
    const now = this.time(index);
    return now !== UNKNOWN && this.next(index) <= now;
  }

  /** Whether the next key to be looked at has something that was written before event time began, and it has. */
  isUndated(index: number): boolean {
    return this.time(index) !== UNKNOWN && this.#of(index).isUndated;
  }

  /** The next key to be looked at, where one is due. It has no appointment any more. */
  take(index: number): Entry {
    return this.#of(index).take();
  }

  #of(index: number): Appointments {
    return index === 0 ? this.#appointments[0] : this.#appointments[1];
  }
}

/** The time to live of one state. */
export class Lifetime {
  readonly domain: TimerDomain;
  readonly index: number;
  readonly ms: number;
  readonly #expiry: Expiry;

  constructor(expiry: Expiry, domain: TimerDomain, ms: number) {
    this.#expiry = expiry;
    this.domain = domain;
    this.index = DOMAINS.indexOf(domain);
    this.ms = ms;
  }

  now(): number {
    return this.#expiry.time(this.index);
  }

  /** The moment from which on something that was written at `written` is not seen any more. */
  end(written: number): number {
    return this.#expiry.end(this.index, written, this.ms);
  }

  /** For snapshots: another store does not know what came before it. */
  dated(written: number): number {
    return this.#expiry.dated(this.index, written);
  }

  expired(written: number): boolean {
    return this.end(written) <= this.now();
  }

  isOver(end: number): boolean {
    return end <= this.now();
  }

  /** Something of the entry was written at `written`. */
  schedule(entry: Entry, written: number): void {
    this.#expiry.schedule(entry, this.index, this.end(written));
  }

  scheduleEnd(entry: Entry, end: number): void {
    this.#expiry.schedule(entry, this.index, end);
  }
}
