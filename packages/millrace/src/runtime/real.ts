/** The runtime of a process on this machine: the system's clock and timers, its disk and its network. */
import { realFiles } from './real-files.ts';
import { realSockets } from './real-sockets.ts';
import type { Clock, Runtime, Timers } from './runtime.ts';

// Taken when this module loads, so that a simulation in the same process never answers for the real clock.
const { now } = Date;
const { random } = Math;
const monotonic = performance.now.bind(performance);
const { setTimeout, clearTimeout, setImmediate } = globalThis;

const realClock: Clock = { now, monotonic };

/** The longest wait that Node's own timer takes; it fires at once when asked for more. */
const LONGEST = 2 ** 31 - 1;

/** A waiting timer keeps the process alive: an engine that waits for its next tick is at work. Cancel it to let go. */
const realTimers: Timers = {
  after(ms, callback) {
    const due = monotonic() + ms;
    let timer: NodeJS.Timeout;
    const wait = (left: number) => {
      timer = setTimeout(fire, Math.min(Math.ceil(left), LONGEST));
    };
    // Node counts whole milliseconds from the start of the loop's turn, so its timer may fire a little early.
    const fire = () => {
      const left = due - monotonic();
      if (left > 0) wait(left);
      else callback();
    };
    wait(ms);
    return () => clearTimeout(timer);
  },
  soon(callback) {
    setImmediate(callback);
  },
};

export function realRuntime(): Runtime {
  return { clock: realClock, timers: realTimers, random, files: realFiles, sockets: realSockets };
}
