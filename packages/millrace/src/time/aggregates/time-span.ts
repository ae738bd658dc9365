/** From the earliest to the latest event time: what a window without an end of its own is said to span. */
import type { Aggregate } from './aggregate.ts';
import { builtIn } from './aggregate.ts';

type Span = readonly [earliest: number, latest: number];

export const timeSpan: Aggregate<unknown, Span> = builtIn<unknown, undefined, Span, Span>('timeSpan', {
  take: () => undefined,
  create: () => [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  add: ([earliest, latest], _, time) => [Math.min(earliest, time), Math.max(latest, time)],
  merge: (older, newer) => [Math.min(older[0], newer[0]), Math.max(older[1], newer[1])],
  result: (span) => span,
});
