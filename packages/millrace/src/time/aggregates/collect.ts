/** All values of the window. It keeps them: bounded by the window alone. */
import type { Aggregate } from './aggregate.ts';
import { builtIn } from './aggregate.ts';
import { checkFunction } from './numeric.ts';

interface Collected<V> {
  readonly values: V[];
  readonly times: number[];
}

/** In the order of event time; of equal times, in the order in which they came. */
function inOrder<V>({ values, times }: Collected<V>): V[] {
  if (times.every((time, i) => i === 0 || times[i - 1]! <= time)) return values.slice();
  const order = times.map((_, i) => i).sort((a, b) => times[a]! - times[b]!);
  return order.map((i) => values[i]!);
}

/** What `of` says of each value, in the order of event time. */
export function collect<T, V>(of: (value: T) => V): Aggregate<T, V[]> {
  checkFunction('collect', of);
  return builtIn<T, V, Collected<V>, V[]>('collect', {
    take: of,
    create: () => ({ values: [], times: [] }),
    add(collected, value, time) {
      collected.values.push(value);
      collected.times.push(time);
      return collected;
    },
    merge: (older, newer) => ({
      values: older.values.concat(newer.values),
      times: older.times.concat(newer.times),
    }),
    result: inOrder,
    running: {
      absorb(total, newest) {
        for (const value of newest.values) total.values.push(value);
        for (const time of newest.times) total.times.push(time);
      },
      remove(total, oldest) {
        total.values.splice(0, oldest.values.length);
        total.times.splice(0, oldest.times.length);
      },
    },
  });
}
