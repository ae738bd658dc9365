/**
 * How far event time has come on one split: the newest time that was sent off less the bound, or what the user's own
 * rule says. A watermark W says that no record with a time of W or earlier is expected. It never goes back.
 */
import { shown } from '../codec/shown.ts';
import type { WatermarkGenerator } from '../topology/event-time.ts';
import type { TimeSettings } from '../topology/options.ts';

/** What a split is like at a moment: for people who ask why time stands still. */
export interface SplitTime {
  readonly split: string;
  /** −Infinity before the first record. */
  readonly watermark: number;
  /** The newest time of a record that was sent off; −Infinity before the first. */
  readonly newest: number;
  /** Silent for so long that it does not hold the others back. */
  readonly idle: boolean;
  readonly ended: boolean;
  /** Held because it is too far ahead of the slowest split. */
  readonly farAhead: boolean;
  /** Wall-clock milliseconds: since when the watermark has been where it is. */
  readonly since: number;
  /** After this much more silence (ms) it falls idle; Infinity where it cannot, as while it is held. */
  readonly idleIn: number;
}

export class SplitWatermark {
  readonly name: string;
  newest = -Infinity;
  watermark = -Infinity;
  since: number;
  /** A record was sent off since the task last looked. */
  heard = false;
  idle = false;
  ended = false;
  /** Ended, and all that it gave has been sent off. */
  over = false;
  /** Records are not taken from it, for whatever reason: its silence does not count. */
  paused = false;
  farAhead = false;
  /** When it fell silent, by the clock that stands while the task is held. While it is paused: for how long it was silent. */
  silence = 0;
  readonly #outOfOrder: number;
  readonly #generator: WatermarkGenerator<never> | undefined;
  readonly #complain: (text: string) => void;
  readonly #failed: (thrown: unknown) => void;
  #told = -Infinity;
  #complained = false;

  /** `failed`: the user's rule threw, and event time cannot go on. */
  constructor(
    name: string,
    { outOfOrder }: TimeSettings,
    generator: WatermarkGenerator<never> | undefined,
    now: number,
    complain: (text: string) => void,
    failed: (thrown: unknown) => void,
  ) {
    this.name = name;
    this.since = now;
    this.#outOfOrder = outOfOrder;
    this.#generator = generator;
    this.#complain = complain;
    this.#failed = failed;
  }

  get asksClock(): boolean {
    return this.#generator?.clock !== undefined;
  }

  /** Goes on where an earlier run was. */
  resume(newest: number, watermark: number): void {
    this.newest = newest;
    this.watermark = watermark;
  }

  /** A record was sent off. */
  sent(value: unknown, time: number): void {
    if (time > this.newest) this.newest = time;
    this.heard = true;
    if (this.#generator === undefined) return;
    try {
      this.#say(this.#generator.record(value as never, time));
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  clock(now: number): void {
    try {
      this.#say(this.#generator?.clock?.(now));
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  /** Takes over what was sent and said since the last time. True: the watermark has grown. */
  grow(now: number): boolean {
    const to = this.#generator === undefined ? this.newest - this.#outOfOrder - 1 : this.#told;
    if (to <= this.watermark) return false;
    this.watermark = to;
    this.since = now;
    return true;
  }

  /** What the user's rule says; −Infinity is what it says before it knows. */
  #say(told: number | undefined): void {
    if (told === undefined || told === -Infinity) return;
    if (Number.isFinite(told)) {
      this.#told = told;
    } else if (!this.#complained) {
      this.#complained = true;
      this.#complain(`the watermark of split '${this.name}' is ${shown(told)}, which is no time; it is ignored`);
    }
  }

  report(idleIn: number): SplitTime {
    const { name, watermark, newest, idle, over, farAhead, since } = this;
    return { split: name, watermark, newest, idle, ended: over, farAhead, since, idleIn };
  }
}
