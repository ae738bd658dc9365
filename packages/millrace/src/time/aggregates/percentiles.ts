/**
 * Percentiles by DDSketch (Masson, Rim and Lee, VLDB 2019): each within 1 % of a number that is there, whatever the
 * distribution, and whatever the order in which the numbers came. Bins grow by a constant factor, so that a number is
 * known by its bin with a constant relative error; only bins that hold something are kept, as plain data.
 */
import { MillraceError } from '../../errors.ts';
import type { Aggregate } from './aggregate.ts';
import { builtIn } from './aggregate.ts';
import { numeric } from './numeric.ts';

const ACCURACY = 0.01;
/** Bin i holds the numbers x with growth^(i − 1) < x ≤ growth^i. */
const GROWTH = (1 + ACCURACY) / (1 - ACCURACY);
const LOG_GROWTH = Math.log(GROWTH);
/** The smallest number with full precision; what is nearer to zero counts as zero. */
const SMALLEST = 2 ** -1022;

const binOf = (x: number): number => Math.ceil(Math.log(x) / LOG_GROWTH);
/** The number that is as far, relatively, from the lower end of the bin as from the upper. */
const numberOf = (bin: number): number => GROWTH ** (bin - 1) * (1 + ACCURACY);

/** How many numbers fell into each bin. */
type Bins = Map<number, number>;
interface Sketch {
  readonly positive: Bins;
  /** Of the absolute values. */
  readonly negative: Bins;
  zeros: number;
}

function count(bins: Bins, bin: number, n: number): void {
  const all = (bins.get(bin) ?? 0) + n;
  if (all === 0) bins.delete(bin);
  else bins.set(bin, all);
}

function addAll(total: Sketch, other: Sketch, sign: 1 | -1): void {
  for (const [bin, n] of other.positive) count(total.positive, bin, sign * n);
  for (const [bin, n] of other.negative) count(total.negative, bin, sign * n);
  total.zeros += sign * other.zeros;
}

/** Each bin's number and how many there are of it, from the lowest number up. */
function ascending({ positive, negative, zeros }: Sketch): [number: number, n: number][] {
  const below = [...negative].sort(([a], [b]) => b - a);
  const above = [...positive].sort(([a], [b]) => a - b);
  const all = below.map(([bin, n]): [number, number] => [-numberOf(bin), n]);
  if (zeros > 0) all.push([0, zeros]);
  for (const [bin, n] of above) all.push([numberOf(bin), n]);
  return all;
}

/** The number of rank ⌊quantile · (count − 1)⌋, counted from 0. */
function at(quantile: number, numbers: readonly (readonly [number: number, n: number])[], total: number): number {
  let left = Math.floor(quantile * (total - 1));
  for (const [number, n] of numbers) {
    if (left < n) return number;
    left -= n;
  }
  return Number.NaN;
}

type Numbers<P> = { -readonly [I in keyof P]: number };

/** For each quantile from 0 to 1 a number, within 1 %: that part of all numbers is below it. */
export function percentiles<T, const P extends readonly number[]>(
  quantiles: P,
  of: (value: T) => number,
): Aggregate<T, Numbers<P>> {
  if (!Array.isArray(quantiles) || quantiles.length === 0 || !quantiles.every((q) => q >= 0 && q <= 1)) {
    throw new MillraceError('MR_OPTION', ['percentiles', 'the list of quantiles', quantiles, 'numbers from 0 to 1']);
  }
  return builtIn<T, number, Sketch, Numbers<P>>('percentiles', {
    take: numeric('percentiles', of),
    create: () => ({ positive: new Map(), negative: new Map(), zeros: 0 }),
    add(sketch, x) {
      if (x >= SMALLEST) count(sketch.positive, binOf(x), 1);
      else if (x <= -SMALLEST) count(sketch.negative, binOf(-x), 1);
      else sketch.zeros++;
      return sketch;
    },
    merge(older, newer) {
      const both = { positive: new Map(older.positive), negative: new Map(older.negative), zeros: older.zeros };
      addAll(both, newer, 1);
      return both;
    },
    result(sketch) {
      const numbers = ascending(sketch);
      const total = numbers.reduce((sum, [, n]) => sum + n, 0);
      return quantiles.map((quantile) => at(quantile, numbers, total)) as Numbers<P>;
    },
    running: {
      absorb: (total, newest) => addAll(total, newest, 1),
      remove: (total, oldest) => addAll(total, oldest, -1),
    },
  });
}
