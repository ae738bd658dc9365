/**
 * What the kinds of windows have in common: a task of windows is an operator over one piece of state per key, which is
 * changed in place (`owned`), so that nothing may throw once `kept.set` was called.
 *
 * Results come from timers and not from inputs wherever the state was changed before (a late value sets a timer that is
 * due at once): the user's code that makes a result may throw, and must find everything as it was when it is tried again.
 */
import type { Key } from '../../topology/key.ts';
import type { ValueState } from '../../topology/state-spec.ts';
import type { Timer } from '../../topology/timer-spec.ts';
import type { Accumulators, Columns } from './columns.ts';

/** Why a result came: before its window's end, at it, or after it because a late value changed it. */
export type Timing = 'early' | 'on time' | 'late';

export interface FiringRules {
  /** The clock takes the place of event time. */
  readonly byClock: boolean;
  /** How long (ms) after its end a window still takes values. */
  readonly lateness: number;
  /** How often (ms) early results come. */
  readonly early: number | undefined;
  /** Each result holds what is new since the one before. */
  readonly discarding: boolean;
}

/** Timers of all kinds of windows; which of them there are depends on the rules. */
export interface WindowTimers {
  /** A window is over, or past its allowed lateness. */
  readonly due: Timer;
  /** The result of such a window could not be made, and is tried again alone. */
  readonly again: Timer;
  readonly early: Timer;
  /** The end of the input, for windows that event time does not close. */
  readonly end: Timer;
}

export interface WindowTask<T, K> {
  readonly rules: FiringRules;
  readonly columns: Columns<T>;
  readonly kept: ValueState<K | undefined>;
  readonly timers: WindowTimers;
  watermark(): number;
  now(): number;
  /** Emits the result of a window, with the time `end` − 1. */
  emit(result: WindowResult): void;
  late(value: T, time: number, end: number): void;
}

type TimerHandler = (time: number, key: Key) => void;
export interface WindowOperator<in T> {
  execute(value: T, time: number, key: Key): void;
  readonly timer: { readonly [N in keyof WindowTimers]: TimerHandler };
}

export type WindowResult = { readonly key: Key; readonly start: number; readonly end: number; readonly timing: Timing };

/** Runs the user's code that makes results; changes nothing. */
export function resultOf(
  columns: Columns<never>,
  key: Key,
  span: { readonly start: number; readonly end: number },
  timing: Timing,
  accumulators: Accumulators,
): WindowResult {
  const { start, end } = span;
  const result = { key, start, end, timing };
  columns.results(result, accumulators, { start, end });
  return result;
}

/** No timer is set. */
export const NEVER = Number.POSITIVE_INFINITY;

/** An event timer at this time is told when the input has ended: event time goes to infinity then. */
export const END_OF_INPUT = Number.MAX_VALUE;
