/** How many values there are in a span of time, on average over the window. */
import type { Duration } from '../../duration.ts';
import { checkDuration } from '../../topology/options.ts';
import type { Aggregate } from './aggregate.ts';
import { counting } from './count.ts';

/** Values per `per`: their number, times `per`, divided by the length of the window (all of it, also while it fills). */
export function rate(per: Duration): Aggregate<unknown, number> {
  const ms = checkDuration('rate', 'per', per, 1);
  return counting('rate', (n, { start, end }) => (n * ms) / (end - start));
}
