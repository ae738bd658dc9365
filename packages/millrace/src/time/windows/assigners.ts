/**
 * Window assigners: into which windows a value goes, by its time or by how many came before it. A window in time holds
 * `start ≤ t < end`. Plain data; checked when they are made.
 */
import type { Duration } from '../../duration.ts';
import { MillraceError } from '../../errors.ts';
import { checkCount, checkDuration } from '../../topology/options.ts';

/** `event`: the value's event time. `clock`: the wall clock's when it is worked on; then nothing is ever late. */
export type WindowTime = 'event' | 'clock';

interface ByOption {
  /** Default 'event'. */
  readonly by?: WindowTime;
}
interface AlignOptions extends ByOption {
  /** Windows start at multiples of their slide from 1970 (UTC) on, moved by this; a negative number moves them back. Default 0. */
  readonly offset?: Duration;
}

interface TimeWindows {
  readonly kind: 'time';
  readonly size: number;
  readonly slide: number;
  readonly offset: number;
  readonly by: WindowTime;
}
interface SessionWindows<in T> {
  readonly kind: 'session';
  readonly gap: (value: T) => number;
  readonly by: WindowTime;
}
interface CountWindows {
  readonly kind: 'count';
  readonly size: number;
  readonly slide: number;
}
interface GlobalWindow {
  readonly kind: 'global';
}
/** Made by `tumbling`, `sliding`, `session`, `countWindow` and `globalWindow`. */
export type WindowAssigner<T = never> = TimeWindows | SessionWindows<T> | CountWindows | GlobalWindow;

/** Windows of one size, one after another: each value is in one. Event or clock time in whole milliseconds. */
export function tumbling(size: Duration, options: AlignOptions = {}): TimeWindows {
  const length = span('tumbling', 'size', size);
  return { kind: 'time', size: length, slide: length, ...aligned('tumbling', options) };
}

/**
 * Windows of one size of which one starts every `slide`: each value is in about size ÷ slide of them, and is added once
 * nevertheless. A slide longer than the size is refused, because values between two windows would be in none.
 */
export function sliding(size: Duration, slide: Duration, options: AlignOptions = {}): TimeWindows {
  const length = span('sliding', 'size', size);
  const step = span('sliding', 'slide', slide);
  if (step > length) {
    throw new MillraceError('MR_OPTION', ['sliding', 'slide', slide, `at most the size (${String(size)})`]);
  }
  return { kind: 'time', size: length, slide: step, ...aligned('sliding', options) };
}

/**
 * A window for as long as values of a key keep coming: it starts with the first and ends `gap` after the last. A value
 * that comes exactly `gap` after the last one begins another. (In Flink it joins the session, unless that has closed
 * already.) A value that is nearer than that to two sessions makes them one. The gap may be a function of the value.
 */
export function session<T>(gap: Duration | ((value: T) => Duration), options: ByOption = {}): SessionWindows<T> {
  const by = timeOf('session', options);
  if (typeof gap === 'function') return { kind: 'session', gap: (value) => span('session', 'gap', gap(value)), by };
  const fixed = span('session', 'gap', gap);
  return { kind: 'session', gap: () => fixed, by };
}

/**
 * A window of the last `size` values of a key, in the order in which they come, every `slide` values (default: `size`, so
 * that each value is in one). With a shorter slide the first windows hold fewer, as in Flink. What is in no full window
 * when the input ends does not come out.
 */
export function countWindow(size: number, slide: number = size): CountWindows {
  checkCount('countWindow', 'size', size);
  checkCount('countWindow', 'slide', slide, size);
  return { kind: 'count', size, slide };
}

/** One window of all values of a key. It gives early results, if asked for, and its last one when the input ends. */
export function globalWindow(): GlobalWindow {
  return { kind: 'global' };
}

/** A length of time: whole milliseconds, at least one. */
function span(assigner: string, option: string, got: Duration): number {
  const ms = checkDuration(assigner, option, got, 1);
  if (Number.isSafeInteger(ms)) return ms;
  throw new MillraceError('MR_OPTION', [assigner, option, got, 'a whole number of milliseconds']);
}

function aligned(assigner: string, options: AlignOptions): { readonly offset: number; readonly by: WindowTime } {
  const { offset = 0 } = options;
  const isBack = typeof offset === 'number' && offset < 0;
  const ms = isBack ? offset : checkDuration(assigner, 'offset', offset, 0);
  if (!Number.isSafeInteger(ms)) {
    throw new MillraceError('MR_OPTION', [assigner, 'offset', offset, 'a whole number of milliseconds']);
  }
  return { offset: ms, by: timeOf(assigner, options) };
}

function timeOf(assigner: string, { by = 'event' }: ByOption): WindowTime {
  if (by === 'event' || by === 'clock') return by;
  throw new MillraceError('MR_OPTION', [assigner, 'by', by, "'event' or 'clock'"]);
}
