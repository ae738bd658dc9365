/** How many different keys there are: exact, so it keeps each of them once. */
import type { CanonicalKey, Key } from '../../topology/key.ts';
import { canonicalKey, notAKey } from '../../topology/key.ts';
import type { Aggregate } from './aggregate.ts';
import { builtIn } from './aggregate.ts';
import { checkFunction } from './numeric.ts';

/** Each key with how many values have it. */
type Counted = Map<CanonicalKey, number>;

function absorb(total: Counted, other: Counted): void {
  for (const [key, n] of other) total.set(key, (total.get(key) ?? 0) + n);
}

/** The number of different keys among the values: strings, finite numbers, bigints, booleans, or tuples of them. */
export function distinct<T>(of: (value: T) => Key): Aggregate<T, number> {
  checkFunction('distinct', of);
  return builtIn<T, CanonicalKey, Counted, number>('distinct', {
    take(value) {
      const key = of(value);
      const canonical = canonicalKey(key);
      if (canonical === undefined) throw notAKey('distinct(…)', key);
      return canonical;
    },
    create: () => new Map(),
    add: (counted, key) => counted.set(key, (counted.get(key) ?? 0) + 1),
    merge(older, newer) {
      const both = new Map(older);
      absorb(both, newer);
      return both;
    },
    result: (counted) => counted.size,
    running: {
      absorb,
      remove(total, oldest) {
        for (const [key, n] of oldest) {
          const left = total.get(key)! - n;
          if (left === 0) total.delete(key);
          else total.set(key, left);
        }
      },
    },
  });
}
