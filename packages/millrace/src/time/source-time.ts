/**
 * Event time of one task of a spout (law 7): the least watermark of its splits. It is told to downstream after the
 * records that it follows from, and never goes back.
 *
 * A split that is silent for too long falls idle and does not hold the others back, until its next record is taken.
 * Silence counts only while the split could have given something: neither while the task is held (downstream is full,
 * too much is pending, it is inactive), nor while the split is paused. So idleness is measured on a clock of the task's
 * own, which stands while the task is held.
 *
 * Nothing is sent from a timer: it says that there is something to tell (`due`), and wakes the task, which calls
 * `advance` where it would send a record.
 */
import { MillraceError } from '../errors.ts';
import type { Clock, Timers } from '../runtime/runtime.ts';
import type { WatermarkGenerator } from '../topology/event-time.ts';
import type { TimeSettings } from '../topology/options.ts';
import type { SourceGroup } from './source-group.ts';
import type { SplitTime } from './split-watermark.ts';
import { SplitWatermark } from './split-watermark.ts';

/** How often the clock is asked (ms), where a watermark goes by it. Flink's default. */
const CLOCK_EVERY = 200;

export interface SourceTimeOptions {
  readonly component: string;
  readonly settings: TimeSettings;
  readonly splits: readonly string[];
  readonly group: SourceGroup;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Tells everybody downstream. */
  readonly send: (watermark: number, idle: boolean) => void;
  readonly wake: () => void;
  /** A split is too far ahead of the slowest one, or is no longer. */
  readonly align: (split: string, farAhead: boolean) => void;
  readonly log: (text: string) => void;
  /** The user's watermark generator threw. */
  readonly failed: (thrown: unknown) => void;
}

/** The user's own rule for one split. */
function generatorOf(component: string, { watermark }: TimeSettings): WatermarkGenerator<never> | undefined {
  const generator = watermark?.();
  if (watermark !== undefined && typeof generator?.record !== 'function')
    throw new MillraceError('MR_OPTION', [
      component,
      'what time.watermark() gives',
      generator,
      'an object with the method record(value, time)',
    ]);
  return generator;
}

export interface ToldTime {
  readonly watermark: number;
  readonly idle: boolean;
}

export class SourceTime {
  readonly splits: readonly SplitWatermark[];
  /** There may be something to tell: `advance` is to be called when downstream has room. */
  due = true;
  readonly #options: SourceTimeOptions;
  readonly #usesClock: boolean;
  /** Told last. */
  #watermark = -Infinity;
  #idle = false;
  #over = false;
  /** Held from the start, until the task first asks its source. */
  #held = true;
  #heldSince: number;
  #heldFor = 0;
  #cancelIdle: (() => void) | undefined;
  #cancelClock: (() => void) | undefined;

  constructor(options: SourceTimeOptions) {
    const { component, settings, splits, clock, log, failed, group } = options;
    this.#options = options;
    this.#heldSince = clock.monotonic();
    this.splits = splits.map(
      (name) => new SplitWatermark(name, settings, generatorOf(component, settings), clock.now(), log, failed),
    );
    for (const split of this.splits) split.silence = this.#ownTime();
    this.#usesClock = settings.whenIdle === 'clock' || this.splits.some(({ asksClock }) => asksClock);
    group.add(this);
  }

  /** Whether the task could not take a record now, whatever its source had. */
  hold(held: boolean): void {
    if (held === this.#held) return;
    const now = this.#options.clock.monotonic();
    if (held) this.#heldSince = now;
    else this.#heldFor += now - this.#heldSince;
    this.#held = held;
    if (!held) this.#setTimers();
  }

  /** A record was taken from a split that was idle. */
  isBack(split: SplitWatermark): void {
    split.idle = false;
    split.silence = this.#ownTime();
    this.#changed();
  }

  hasEnded(split: SplitWatermark): void {
    split.ended = true;
    this.due = true;
  }

  /** Whether records are kept from being taken from this split. */
  pause(split: SplitWatermark, paused: boolean): void {
    if (paused === split.paused) return;
    split.paused = paused;
    split.silence = this.#ownTime() - split.silence;
    if (paused) return;
    // It may have been silent for longer than those that the timer was set for.
    this.#cancelIdle?.();
    this.#cancelIdle = undefined;
    this.#setTimers();
  }

  align(split: SplitWatermark, farAhead: boolean): void {
    split.farAhead = farAhead;
    this.#options.align(split.name, farAhead);
  }

  /** Another task of the component has changed. */
  recall(): void {
    if (this.due || this.#over || this.#options.settings.whenIdle !== 'clock') return;
    this.due = true;
    this.#options.wake();
  }

  /** What there is to tell now: how far event time has come, or that it is over. */
  tell(isOver: boolean, drained: boolean): void {
    if (isOver) this.end();
    else if (this.due) this.advance(drained);
  }

  /** Tells what there is to tell, from outside of any step. `drained`: all that was taken has been sent off. */
  advance(drained: boolean): void {
    if (this.#over) return;
    const { settings, group, clock } = this.#options;
    this.due = false;
    this.#look(drained);
    if (settings.align < Infinity) group.align(settings.align);
    this.#setTimers();
    let least = Infinity;
    let active = false;
    for (const split of this.splits) {
      if (split.idle || split.over) continue;
      active = true;
      if (split.watermark < least) least = split.watermark;
    }
    if (active) this.#tell(least, false);
    else if (this.#followsClock()) this.#tell(clock.now() - settings.outOfOrder - 1, false);
    else this.#tell(-Infinity, true);
  }

  /** The source has ended, and nothing of it is under way. */
  end(): void {
    if (this.#over) return;
    const { settings, group } = this.#options;
    this.#over = true;
    this.due = false;
    this.#cancelIdle?.();
    this.#cancelClock?.();
    for (const split of this.splits) split.over = true;
    if (settings.align < Infinity) group.align(settings.align);
    group.changed(this);
    this.#tell(Infinity, false);
  }

  /** What everybody downstream has been told. */
  get told(): ToldTime {
    return { watermark: this.#watermark, idle: this.#idle };
  }

  report(): readonly SplitTime[] {
    return this.splits.map((split) => split.report(this.#idleIn(split)));
  }

  #idleIn(split: SplitWatermark): number {
    if (this.#held || split.idle || split.over || split.paused) return Infinity;
    const silent = split.heard ? 0 : this.#ownTime() - split.silence;
    return Math.max(0, this.#options.settings.idle - silent);
  }

  #tell(least: number, idle: boolean): void {
    const watermark = Math.max(least, this.#watermark);
    if (watermark === this.#watermark && idle === this.#idle) return;
    this.#watermark = watermark;
    this.#idle = idle;
    this.#options.send(watermark, idle);
  }

  /** Takes over what the splits have been told since the last time. */
  #look(drained: boolean): void {
    const now = this.#options.clock.now();
    const own = this.#ownTime();
    let ended = false;
    for (const split of this.splits) {
      if (split.heard) split.silence = split.paused ? 0 : own;
      split.heard = false;
      split.grow(now);
      if (!split.ended || split.over || !drained) continue;
      split.over = true;
      ended = true;
    }
    if (ended) this.#options.group.changed(this);
  }

  #changed(): void {
    this.due = true;
    this.#options.group.changed(this);
  }

  /** All splits of all tasks are idle, and time goes on all the same. */
  #followsClock(): boolean {
    const { settings, group } = this.#options;
    return settings.whenIdle === 'clock' && !this.#held && this.splits.some(({ idle }) => idle) && group.idle;
  }

  /** Milliseconds on the clock that stands while the task is held. */
  #ownTime(): number {
    return (this.#held ? this.#heldSince : this.#options.clock.monotonic()) - this.#heldFor;
  }

  #setTimers(): void {
    if (this.#held || this.#over) return;
    const { settings, timers } = this.#options;
    const longest = this.#cancelIdle === undefined ? this.#longestSilence() : -Infinity;
    if (longest >= 0) {
      this.#cancelIdle = timers.after(Math.max(1, settings.idle - longest), () => {
        this.#cancelIdle = undefined;
        this.#lookForIdle();
      });
    }
    if (!this.#usesClock || this.#cancelClock !== undefined || !this.#needsClock()) return;
    this.#cancelClock = timers.after(CLOCK_EVERY, () => {
      this.#cancelClock = undefined;
      this.#askClock();
    });
  }

  /** Of the splits that can fall idle; −Infinity if there is none. */
  #longestSilence(): number {
    const own = this.#ownTime();
    let longest = -Infinity;
    for (const split of this.splits) {
      if (!split.idle && !split.over && !split.paused) longest = Math.max(longest, own - split.silence);
    }
    return longest;
  }

  #lookForIdle(): void {
    const own = this.#ownTime();
    let fallen = false;
    for (const split of this.splits) {
      if (split.idle || split.over || split.paused || split.heard) continue;
      if (own - split.silence < this.#options.settings.idle) continue;
      split.idle = true;
      fallen = true;
    }
    if (fallen) this.#changed();
    if (fallen) this.#options.wake();
    this.#setTimers();
  }

  #needsClock(): boolean {
    return (
      this.splits.some((split) => split.asksClock && !split.idle && !split.over && !split.paused) ||
      this.#followsClock()
    );
  }

  #askClock(): void {
    if (this.#held) return;
    const now = this.#options.clock.now();
    for (const split of this.splits) if (!split.idle && !split.over && !split.paused) split.clock(now);
    this.due = true;
    this.#options.wake();
  }
}
