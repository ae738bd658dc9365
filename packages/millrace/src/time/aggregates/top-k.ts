/** The k values that rank highest. */
import { checkCount } from '../../topology/options.ts';
import type { Aggregate } from './aggregate.ts';
import { builtIn } from './aggregate.ts';
import { numeric } from './numeric.ts';

interface Ranked<T> {
  readonly value: T;
  readonly rank: number;
  readonly time: number;
}

/** Of equal rank, the earlier is before the later; of equal time too, the one that came first. */
const isBefore = (a: Ranked<unknown>, b: Ranked<unknown>) => a.rank > b.rank || (a.rank === b.rank && a.time < b.time);

/** The `k` values with the largest `by`, largest first; of equal ones the earlier by event time. */
export function topK<T>(k: number, by: (value: T) => number): Aggregate<T, T[]> {
  checkCount('topK', 'k', k, 10_000);
  const rankOf = numeric('topK', by);
  const insert = (top: Ranked<T>[], entry: Ranked<T>): Ranked<T>[] => {
    let at = top.length;
    while (at > 0 && isBefore(entry, top[at - 1]!)) at--;
    if (at === k) return top;
    if (top.length === k) top.pop();
    top.splice(at, 0, entry);
    return top;
  };
  return builtIn<T, Ranked<T>, Ranked<T>[], T[]>('topK', {
    take: (value, time) => ({ value, rank: rankOf(value), time }),
    create: () => [],
    add: insert,
    merge(older, newer) {
      const both: Ranked<T>[] = [];
      let a = 0;
      let b = 0;
      while (both.length < k && (a < older.length || b < newer.length)) {
        const takeNewer = a === older.length || (b < newer.length && isBefore(newer[b]!, older[a]!));
        both.push(takeNewer ? newer[b++]! : older[a++]!);
      }
      return both;
    },
    result: (top) => top.map(({ value }) => value),
  });
}
