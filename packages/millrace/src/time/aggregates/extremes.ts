/** The smallest and the largest number. */
import type { Aggregate } from './aggregate.ts';
import { builtIn } from './aggregate.ts';
import { numeric } from './numeric.ts';

function extreme<T>(
  name: string,
  of: (value: T) => number,
  none: number,
  choose: (a: number, b: number) => number,
): Aggregate<T, number> {
  return builtIn<T, number, number, number>(name, {
    take: numeric(name, of),
    create: () => none,
    add: choose,
    merge: choose,
    result: (chosen) => chosen,
  });
}

export function min<T>(of: (value: T) => number): Aggregate<T, number> {
  return extreme('min', of, Infinity, (a, b) => (b < a ? b : a));
}

export function max<T>(of: (value: T) => number): Aggregate<T, number> {
  return extreme('max', of, -Infinity, (a, b) => (b > a ? b : a));
}
