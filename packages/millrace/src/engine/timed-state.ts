/**
 * The state and timers of one task, and when its timers are told: event timers when the watermark comes to them, or right
 * after the step that set them if it has been there already; clock timers by the clock. What has expired is removed in
 * small portions, outside of any step.
 */
import { KeyedState } from '../state/keyed-state.ts';
import type { StateSpecs } from '../topology/state-spec.ts';
import type { TimerSpecs } from '../topology/timer-spec.ts';
import type { Station } from './station.ts';
import type { Fired } from './timer-loop.ts';
import { TimerLoop } from './timer-loop.ts';

/** Cells looked at in one portion. */
const SWEEP = 256;

export class TimedState {
  readonly keyed: KeyedState;
  /** Event timers are being told, and not all have been: nothing else runs meanwhile. */
  telling = false;
  readonly #station: Station;
  readonly #eventTimers: TimerLoop | undefined;
  readonly #clockTimers: TimerLoop | undefined;
  readonly #expires: boolean;
  /** Called when `telling` is over. */
  readonly #told: () => void;
  #sweeping = false;
  #clockRuns = false;
  #scheduled = Infinity;
  #cancel: () => void = () => {};

  constructor(
    station: Station,
    index: number,
    { state, timers }: { readonly state: StateSpecs; readonly timers: TimerSpecs },
    tell: (timer: Fired) => void,
    told: () => void,
  ) {
    const { clock } = station.worker.runtime;
    this.#station = station;
    this.#told = told;
    this.keyed = new KeyedState({
      component: station.id,
      specs: state,
      timers,
      freeze: station.freeze,
      now: () => clock.now(),
    });
    const domains = Object.values(timers);
    const loop = (domain: 'event' | 'clock') =>
      domains.includes(domain) ? new TimerLoop(station, index, this.keyed, domain, tell) : undefined;
    this.#eventTimers = loop('event');
    this.#clockTimers = loop('clock');
    this.#expires = Object.values(state).some(({ options }) => options.ttl !== undefined);
  }

  /** How often the event timer that is to be told has failed. */
  get failures(): number {
    return this.#eventTimers?.failures ?? 0;
  }

  /** A step has ended well. */
  stepped(): void {
    if (this.#clockTimers !== undefined || this.#expires) this.#schedule();
    if (this.#eventTimers === undefined || this.telling) return;
    const next = this.keyed.next('event');
    if (next <= this.keyed.watermark && next !== Infinity) this.#tellEventTimers(this.#told);
  }

  /** Event time has come to `watermark`: `then` is called when all timers up to it have been told. */
  advance(watermark: number, then: () => void): void {
    this.keyed.watermark = watermark;
    const swept = () => {
      if (this.#expires) this.#sweep();
      then();
    };
    if (this.#eventTimers === undefined) swept();
    else this.#tellEventTimers(swept);
  }

  /** Before the first step, with what was kept restored: no timer up to `watermark` is left to be told. */
  resume(watermark: number): void {
    this.keyed.watermark = watermark;
  }

  /** All that is downstream is open: what is due by the clock may be told. */
  open(): void {
    if (this.#clockTimers !== undefined || this.#expires) this.#schedule();
  }

  close(): void {
    this.#cancel();
  }

  #tellEventTimers(then: () => void): void {
    this.telling = true;
    this.#eventTimers!.run(this.keyed.watermark, () => {
      this.telling = false;
      then();
    });
  }

  #schedule(): void {
    const at = Math.min(this.keyed.next('clock'), this.keyed.nextClockExpiry);
    if (at >= this.#scheduled || this.#clockRuns) return;
    this.#cancel();
    this.#scheduled = at;
    const { clock, timers } = this.#station.worker.runtime;
    this.#cancel = timers.after(Math.max(0, at - clock.now()), () => this.#clockDue());
  }

  #clockDue(): void {
    const { worker } = this.#station;
    this.#scheduled = Infinity;
    if (worker.dead) return;
    const told = () => {
      this.#clockRuns = false;
      if (this.#expires) this.#sweep();
      this.#schedule();
    };
    this.#clockRuns = true;
    if (this.#clockTimers === undefined) told();
    else this.#clockTimers.run(worker.runtime.clock.now(), told);
    worker.stopwatch.stop();
  }

  #sweep(): void {
    if (this.#sweeping || !this.keyed.sweep(SWEEP)) return;
    const { worker } = this.#station;
    this.#sweeping = true;
    worker.runtime.timers.soon(() => {
      this.#sweeping = false;
      if (!worker.dead) this.#sweep();
    });
  }
}
