/** The first and the last value by event time; of several with the same time the one that came first, or last. */
import type { Aggregate } from './aggregate.ts';
import { builtIn } from './aggregate.ts';
import { checkFunction } from './numeric.ts';

/** Undefined: there was no value yet. */
type End<V> = { readonly time: number; readonly value: V } | undefined;

function end<T, V>(
  name: string,
  of: (value: T) => V,
  isNewer: (end: number, time: number) => boolean,
): Aggregate<T, V> {
  checkFunction(name, of);
  const choose = (kept: End<V>, other: End<V>): End<V> =>
    kept === undefined || (other !== undefined && isNewer(kept.time, other.time)) ? other : kept;
  return builtIn<T, V, End<V>, V>(name, {
    take: of,
    create: () => undefined,
    add: (kept, value, time) => (kept === undefined || isNewer(kept.time, time) ? { time, value } : kept),
    merge: choose,
    result: (kept) => kept?.value as V,
  });
}

/** What `of` says of the value with the earliest event time. */
export function first<T, V>(of: (value: T) => V): Aggregate<T, V> {
  return end('first', of, (kept, time) => time < kept);
}

/** What `of` says of the value with the latest event time. */
export function last<T, V>(of: (value: T) => V): Aggregate<T, V> {
  return end('last', of, (kept, time) => time >= kept);
}
