/** Timers that a bolt declares: set per key, each told once, when event time or the clock has come that far. */
import type { Key } from './key.ts';

/** `event`: told when the watermark has reached the time. `clock`: when the wall clock has. */
export type TimerDomain = 'event' | 'clock';
export type TimerSpecs = { readonly [name: string]: TimerDomain };

/** Times are milliseconds since 1970. All calls are for the current key. */
export interface Timer {
  /** The same time twice is one timer. One that is due already is told as soon as the step has ended. */
  set(time: number): void;
  clear(time: number): void;
}
export type Timers<T> = { readonly [N in keyof T]: Timer };

/** Method syntax on purpose: a handler may narrow the key. */
type TimerHandler = { any(time: number, key: Key): void }['any'];
/** What a bolt with timers must return from `prepare`: one handler for each. State and timers are those of its key. */
export type TimerHandlers<T> = keyof T extends never
  ? unknown
  : { readonly timer: { readonly [N in keyof T]: TimerHandler } };
