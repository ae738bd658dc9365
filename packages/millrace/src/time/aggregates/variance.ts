/** Variance and standard deviation of the population, by Welford's method; merged as Chan, Golub and LeVeque do. */
import type { Aggregate } from './aggregate.ts';
import { builtIn } from './aggregate.ts';
import { numeric } from './numeric.ts';

interface Moments {
  count: number;
  mean: number;
  /** The sum of the squared distances from the mean. */
  squares: number;
}

function moments<T>(name: string, of: (value: T) => number, result: (m: Moments) => number): Aggregate<T, number> {
  return builtIn<T, number, Moments, number>(name, {
    take: numeric(name, of),
    create: () => ({ count: 0, mean: 0, squares: 0 }),
    add(m, x) {
      m.count++;
      const distance = x - m.mean;
      m.mean += distance / m.count;
      m.squares += distance * (x - m.mean);
      return m;
    },
    merge(older, newer) {
      const count = older.count + newer.count;
      if (older.count === 0 || newer.count === 0) return { ...(older.count === 0 ? newer : older) };
      const distance = newer.mean - older.mean;
      return {
        count,
        mean: older.mean + (distance * newer.count) / count,
        squares: older.squares + newer.squares + distance * distance * ((older.count * newer.count) / count),
      };
    },
    result,
  });
}

/** The variance of a number of each value: over all of them (÷ n). 0 for a single value. */
export function variance<T>(of: (value: T) => number): Aggregate<T, number> {
  return moments('variance', of, ({ squares, count }) => squares / count);
}

/** The standard deviation: the square root of the variance. */
export function stddev<T>(of: (value: T) => number): Aggregate<T, number> {
  return moments('stddev', of, ({ squares, count }) => Math.sqrt(squares / count));
}
