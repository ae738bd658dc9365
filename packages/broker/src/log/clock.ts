/** The seam to time (law 11): the log reads the clock and sets timers through this and nothing else. */
export interface Clock {
  /** Wall-clock milliseconds. */
  now(): number;
  /**
   * Calls `run` once after `ms` milliseconds unless the returned function is called first. A `background` timer must
   * not keep an otherwise finished process alive.
   */
  setTimer(ms: number, run: () => void, background?: boolean): () => void;
}

/** Chance, where the caller hands in none of its own. */
export const systemRandom = (): number => Math.random();

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer(ms, run, background = false) {
    const timer = setTimeout(run, ms);
    if (background) timer.unref();
    return () => clearTimeout(timer);
  },
};
