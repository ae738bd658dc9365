/** Ticks of one task: at multiples of the interval since its start. A late tick skips the ones it missed. */
import { MillraceError } from '../errors.ts';
import type { Lifecycle } from '../topology/bolt.ts';
import type { Station } from './station.ts';

export class Ticker {
  readonly #station: Station;
  readonly #every: number;
  readonly #fire: (time: number) => void;
  #next = 0;
  #stopped = false;
  #cancel: () => void = () => {};

  /** The ticker of a task whose component has an interval. MR_TICK_WITHOUT_HANDLER if its code has no `tick`. */
  static for(station: Station, code: Lifecycle, fire: (time: number) => void): Ticker | undefined {
    const { tick } = station.component.settings;
    if (tick === undefined) return undefined;
    if (code.tick === undefined) throw new MillraceError('MR_TICK_WITHOUT_HANDLER', [station.id]);
    return new Ticker(station, tick, fire);
  }

  private constructor(station: Station, every: number, fire: (time: number) => void) {
    this.#station = station;
    this.#every = every;
    this.#fire = fire;
  }

  start(): void {
    this.#next = this.#station.worker.runtime.clock.monotonic() + this.#every;
    this.#wait();
  }

  /** For good: a tick that waits for its turn does not come either. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #wait(): void {
    const { clock, timers } = this.#station.worker.runtime;
    this.#cancel = timers.after(Math.max(0, this.#next - clock.monotonic()), () => this.#due());
  }

  /** While a queue downstream is full the tick waits, as any other input would. */
  #due(): void {
    const { worker, gate } = this.#station;
    if (worker.dead || this.#stopped) return;
    if (gate.closed) return gate.whenOpen(() => this.#due());
    const { clock } = worker.runtime;
    const missed = Math.max(0, Math.floor((clock.monotonic() - this.#next) / this.#every));
    this.#next += (missed + 1) * this.#every;
    this.#wait();
    this.#fire(clock.now());
  }
}
