/**
 * The event time of each record of a spout: its source's, the user's function's, or the clock's. It is a number of
 * milliseconds since 1970, 0 or more, and not too far ahead of the clock: one bad clock must not move event time for
 * everybody. What is refused goes to the ledger, and event time does not hear of it.
 */
import { shown } from '../codec/shown.ts';
import { formatDuration, LAST_DATE } from '../duration.ts';
import { messageOf } from '../errors.ts';
import type { Clock } from '../runtime/runtime.ts';
import type { TimeSettings } from '../topology/options.ts';

export class Timestamps {
  /** Why the last record was refused. */
  refusal = '';
  readonly #clock: Clock;
  readonly #from: TimeSettings['from'];
  readonly #ahead: number;
  /** Up to here a time is not too far ahead. The clock is read only beyond it: it was earlier when this was noted. */
  #limit = -Infinity;
  #ingested = 0;

  /** Undefined where there is nothing to find out: nobody downstream asks for event time, and the source's own is taken. */
  static for({ from, ahead }: TimeSettings, timed: boolean, clock: Clock): Timestamps | undefined {
    return timed || from !== undefined ? new Timestamps(from, ahead, clock) : undefined;
  }

  private constructor(from: TimeSettings['from'], ahead: number, clock: Clock) {
    this.#from = from;
    this.#ahead = ahead;
    this.#clock = clock;
  }

  /** The time of a record to which its source gave the time `given`. NaN: it has none, `refusal` says why. */
  of(value: unknown, given: number): number {
    const from = this.#from;
    if (from === undefined) return this.#checked(given);
    // The clock may be set back; the times that it gives to records are not.
    if (from === 'ingestion') {
      this.#ingested = Math.max(this.#ingested, this.#clock.now());
      return this.#ingested;
    }
    let time: number;
    try {
      time = from(value as never);
    } catch (thrown) {
      return this.#refuse(`the function for its time threw: ${messageOf(thrown)}`);
    }
    return this.#checked(time);
  }

  #checked(time: number): number {
    if (typeof time === 'number' && time >= 0) {
      if (time <= this.#limit) return time;
      this.#limit = this.#clock.now() + this.#ahead;
      if (time <= this.#limit) return time;
    }
    return this.#refuse(this.#wrong(time));
  }

  #wrong(time: unknown): string {
    if (typeof time !== 'number' || !(time >= 0 && time < Infinity))
      return `its time is ${shown(time)}, which is not a number of milliseconds since 1970, 0 or more`;
    const date = time <= LAST_DATE ? ` (${new Date(time).toISOString()})` : '';
    const by = `${formatDuration(time - this.#clock.now())} ahead of the clock`;
    return `its time ${time}${date} is ${by}; allowed is ${formatDuration(this.#ahead)}, by the option time.ahead`;
  }

  #refuse(why: string): number {
    this.refusal = why;
    return Number.NaN;
  }
}
