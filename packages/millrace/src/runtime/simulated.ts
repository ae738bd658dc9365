/**
 * A runtime in virtual time under a seed: its clock stands until `advance` moves it, its files and sockets are in
 * memory, its random numbers follow from the seed. The same program with the same seed does the same, callback for
 * callback.
 */
import { type Duration, milliseconds } from '../duration.ts';
import { inWorld } from './impersonation.ts';
import type { Runtime } from './runtime.ts';
import { seededRandom } from './seeded-random.ts';
import { type SimulatedFiles, simulatedFiles } from './simulated-files.ts';
import { simulatedSockets } from './simulated-sockets.ts';
import { VirtualTime } from './virtual-time.ts';

export interface SimulatedRuntime extends Runtime {
  readonly files: SimulatedFiles;
  /** Lets time pass; timers fire in order, and all promises go on between them. Rejects with what a callback throws. */
  advance(by: Duration): Promise<void>;
  /** Runs what is to be done now, without letting time pass. */
  settle(): Promise<void>;
  /**
   * Lets time pass until the promise is settled, and gives back what it gives. MR_STUCK when nothing is left to do or
   * `limit` of virtual time has passed (default one hour).
   */
  until<T>(promise: Promise<T>, limit?: Duration): Promise<T>;
  /**
   * Runs code in virtual time: there Date, performance.now, Math.random and Node's timers are this runtime's. It holds
   * for all that the code starts and awaits. `advance`, `settle` and `until` run every callback so.
   */
  within<T>(run: () => T): T;
}

/** `start`: the first wall-clock time, in milliseconds since 1970; default 0. */
export function simulatedRuntime(options: { readonly seed: number; readonly start?: number }): SimulatedRuntime {
  const time = new VirtualTime(options.start ?? 0);
  const { clock, timers } = time;
  const random = seededRandom(options.seed);
  const within = <T>(run: () => T) => inWorld({ clock, timers, random }, run);
  return {
    clock,
    timers,
    random,
    files: simulatedFiles(timers),
    sockets: simulatedSockets(timers),
    advance: async (by) => within(() => time.advance(milliseconds(by))),
    settle: () => within(() => time.advance(0)),
    until: async (promise, limit = '1h') => within(() => time.until(promise, milliseconds(limit))),
    within,
  };
}
