/**
 * While user code runs in virtual time, the globals that it reads the world through answer from the clock, the timers
 * and the seed of its runtime (law 11): Date, performance.now, Math.random, setTimeout, setInterval, setImmediate and
 * the setTimeout of node:timers/promises.
 *
 * "While" is an asynchronous context, not a span of real time: the code that was started within, and all that it awaits,
 * is in virtual time, and a test beside it, or the test runner itself, is not. So the globals are replaced once, by
 * functions that ask whose context they were called in, and are the old ones for everybody else.
 *
 * A world may also refuse what reaches past it: files, sockets, other processes and threads (native-io.ts).
 *
 * Out of reach: functions that were taken from the globals before the first simulation, process.hrtime, node:crypto,
 * AbortSignal.timeout, other threads.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';
import { promisify } from 'node:util';
import { refuseNativeIo } from './native-io.ts';
import type { Clock, Timers } from './runtime.ts';

export interface World {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  /** Throws: `what` would have reached past this world. Undefined: it is let through. */
  readonly refuse?: (what: string) => never;
}

const worlds = new AsyncLocalStorage<World>();
let installed = false;

/** Runs `run`, and whatever it starts and awaits, in this world. */
export function inWorld<T>(world: World, run: () => T): T {
  if (!installed) install();
  installed = true;
  return worlds.run(world, run);
}

function install(): void {
  installClock();
  installTimers();
  refuseNativeIo((what) => worlds.getStore()?.refuse?.(what));
  const { random } = Math;
  Math.random = () => (worlds.getStore()?.random ?? random)();
}

function installClock(): void {
  const RealDate = Date;
  const { now } = RealDate;
  RealDate.now = () => worlds.getStore()?.clock.now() ?? now();
  const VirtualDate: DateConstructor = new Proxy(RealDate, {
    construct(target, given, made) {
      const world = given.length === 0 ? worlds.getStore() : undefined;
      const arguments_ = world ? [world.clock.now()] : given;
      return Reflect.construct(target, arguments_, made === VirtualDate ? target : made) as object;
    },
    apply: () => new VirtualDate().toString(),
  });
  RealDate.prototype.constructor = VirtualDate;
  globalThis.Date = VirtualDate;
  const monotonic = performance.now.bind(performance);
  performance.now = () => worlds.getStore()?.clock.monotonic() ?? monotonic();
}

/** What `setTimeout` gives back in virtual time: the parts of Node's Timeout that make sense there. */
class VirtualTimer {
  readonly #start: () => () => void;
  cancel: () => void;

  constructor(start: () => () => void) {
    this.#start = start;
    this.cancel = start();
  }
  refresh(): this {
    this.cancel();
    this.cancel = this.#start();
    return this;
  }
  close(): this {
    this.cancel();
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  hasRef(): boolean {
    return true;
  }
  [Symbol.dispose](): void {
    this.cancel();
  }
}

type Callback = (...given: unknown[]) => void;

function installTimers(): void {
  const { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate } = globalThis;
  const clear = (otherwise: (timer: never) => void) => (timer: unknown) => {
    if (timer instanceof VirtualTimer) timer.cancel();
    else otherwise(timer as never);
  };
  const virtual = {
    setTimeout(callback: Callback, ms?: number, ...given: unknown[]) {
      const world = worlds.getStore();
      if (!world) return setTimeout(callback, ms, ...given);
      return new VirtualTimer(() => world.timers.after(atLeast1(ms), () => callback(...given)));
    },
    setInterval(callback: Callback, ms?: number, ...given: unknown[]) {
      const world = worlds.getStore();
      if (!world) return setInterval(callback, ms, ...given);
      const again = () => {
        timer.refresh();
        callback(...given);
      };
      const timer = new VirtualTimer(() => world.timers.after(atLeast1(ms), again));
      return timer;
    },
    setImmediate(callback: Callback, ...given: unknown[]) {
      const world = worlds.getStore();
      if (!world) return setImmediate(callback, ...given);
      return new VirtualTimer(() => cancellableSoon(world.timers, () => callback(...given)));
    },
    clearTimeout: clear(clearTimeout),
    clearInterval: clear(clearInterval),
    clearImmediate: clear(clearImmediate),
  };
  installPromised(virtual.setTimeout);
  Object.assign(globalThis, virtual);
}

/** Node waits 1 ms where less is asked for, or nothing. */
function atLeast1(ms: number | undefined): number {
  return ms !== undefined && ms >= 1 ? ms : 1;
}

function cancellableSoon({ soon }: Timers, run: () => void): () => void {
  let cancelled = false;
  soon(() => {
    if (!cancelled) run();
  });
  return () => {
    cancelled = true;
  };
}

function installPromised(virtual: (callback: () => void, ms?: number) => unknown): void {
  const real = timersPromises.setTimeout;
  const promised = <T>(ms?: number, value?: T, options?: { readonly signal?: AbortSignal; readonly ref?: boolean }) => {
    if (!worlds.getStore()) return real(ms, value, options);
    return new Promise<T | undefined>((resolve, reject) => {
      const abort = () => {
        clearTimeout(timer as NodeJS.Timeout);
        const cause = options?.signal?.reason;
        reject(
          Object.assign(new Error('The operation was aborted', { cause }), { name: 'AbortError', code: 'ABORT_ERR' }),
        );
      };
      const timer = virtual(() => {
        options?.signal?.removeEventListener('abort', abort);
        resolve(value);
      }, ms);
      if (options?.signal?.aborted) abort();
      else options?.signal?.addEventListener('abort', abort, { once: true });
    });
  };
  Object.defineProperty(virtual, promisify.custom, { value: promised });
  Object.assign(timersPromises, { setTimeout: promised });
  syncBuiltinESMExports();
}
