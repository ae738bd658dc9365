/** Sums and means. Neumaier's compensated summation: the result does not depend on how many small numbers came first. */
import type { Aggregate } from './aggregate.ts';
import { builtIn } from './aggregate.ts';
import { numeric } from './numeric.ts';

interface Sum {
  count: number;
  sum: number;
  /** What the sum has lost to rounding. */
  lost: number;
}

function addTo(total: Sum, x: number): void {
  const sum = total.sum + x;
  total.lost += Math.abs(total.sum) >= Math.abs(x) ? total.sum - sum + x : x - sum + total.sum;
  total.sum = sum;
}

function summing<T, R>(name: string, of: (value: T) => number, result: (total: Sum) => R): Aggregate<T, R> {
  return builtIn<T, number, Sum, R>(name, {
    take: numeric(name, of),
    create: () => ({ count: 0, sum: 0, lost: 0 }),
    add(total, x) {
      total.count++;
      addTo(total, x);
      return total;
    },
    merge(older, newer) {
      const both = { count: older.count + newer.count, sum: older.sum, lost: older.lost };
      addTo(both, newer.sum);
      both.lost += newer.lost;
      return both;
    },
    result,
  });
}

/** Beyond the largest number the sum is infinite, and what was lost is no number any more. */
const whole = ({ sum, lost }: Sum): number => (Number.isFinite(sum) ? sum + lost : sum);

/** The sum of a number of each value. */
export function sum<T>(of: (value: T) => number): Aggregate<T, number> {
  return summing('sum', of, whole);
}

/** The arithmetic mean of a number of each value. */
export function mean<T>(of: (value: T) => number): Aggregate<T, number> {
  return summing('mean', of, (total) => whole(total) / total.count);
}
