/** How many values there are. */
import type { Aggregate, WindowSpan } from './aggregate.ts';
import { builtIn } from './aggregate.ts';

/** What follows from how many values there are. */
export function counting<T>(name: string, result: (n: number, span: WindowSpan) => number): Aggregate<T, number> {
  return builtIn<T, undefined, number, number>(name, {
    take: () => undefined,
    create: () => 0,
    add: (n) => n + 1,
    merge: (older, newer) => older + newer,
    result,
  });
}

export function count<T>(): Aggregate<T, number> {
  return counting('count', (n) => n);
}
