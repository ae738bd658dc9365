/** How many values there are. */
import type { Aggregate } from './aggregate.ts';
import { builtIn } from './aggregate.ts';

export function count<T>(): Aggregate<T, number> {
  return builtIn<T, undefined, number, number>('count', {
    take: () => undefined,
    create: () => 0,
    add: (n) => n + 1,
    merge: (older, newer) => older + newer,
    result: (n) => n,
  });
}
