/**
 * The worker's loop: asks the spouts in turn while downstream has room, in slices of about a millisecond, so that timers,
 * sockets and files are looked at in between. With nothing to do it sleeps until somebody wakes it.
 */
import type { SpoutTask } from './spout-task.ts';
import type { Worker } from './worker.ts';

const SLICE = 1;
/** Rounds of a slice at most, where the clock stands still: in virtual time. */
const ROUNDS = 1000;

export class Loop {
  readonly #worker: Worker;
  readonly #spouts: readonly SpoutTask[];
  readonly #onIdle: () => void;
  #scheduled = false;
  #running = false;

  /** `onIdle` is called after a slice that left nothing to do. */
  constructor(worker: Worker, spouts: readonly SpoutTask[], onIdle: () => void) {
    this.#worker = worker;
    this.#spouts = spouts;
    this.#onIdle = onIdle;
  }

  start(): void {
    this.#running = true;
    this.wake();
  }
  stop(): void {
    this.#running = false;
  }

  wake(): void {
    if (this.#scheduled || !this.#running) return;
    this.#scheduled = true;
    this.#worker.runtime.timers.soon(() => this.#slice());
  }

  #slice(): void {
    this.#scheduled = false;
    if (!this.#running || this.#worker.dead) return;
    const { clock } = this.#worker.runtime;
    const until = clock.monotonic() + SLICE;
    let more = true;
    for (let round = 0; more && round < ROUNDS && clock.monotonic() < until; round++) {
      more = false;
      for (const spout of this.#spouts) if (spout.poll()) more = true;
    }
    this.#worker.stopwatch.stop();
    if (more) this.wake();
    else this.#onIdle();
    this.#worker.progress();
  }
}
