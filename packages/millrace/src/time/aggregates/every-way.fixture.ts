/** What an aggregate gives, in every way in which windows may come to it: the ways must agree. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Aggregate } from './aggregate.ts';

export interface Sample<V> {
  readonly value: V;
  readonly time: number;
}

const span = { start: 0, end: 100 };

function accumulate<V>(aggregate: Aggregate<V, unknown>, samples: readonly Sample<V>[]): unknown {
  let accumulator = aggregate.create();
  for (const { value, time } of samples) {
    accumulator = aggregate.add(accumulator as never, aggregate.take(value, time) as never, time);
  }
  return accumulator;
}

const resultOf = <R>(aggregate: Aggregate<never, R>, accumulator: unknown): R =>
  aggregate.result(structuredClone(accumulator) as never, span);

/** One after another, into one accumulator. */
export function inOne<V, R>(aggregate: Aggregate<V, R>, samples: readonly Sample<V>[]): R {
  return resultOf(aggregate, accumulate(aggregate, samples));
}

/** From the parts, merged in any order of nesting; no part may be changed by it, nor by what is added to the whole. */
export function merged<V, R>(
  aggregate: Aggregate<V, R>,
  parts: readonly (readonly Sample<V>[])[],
  where: (parts: number) => number,
): R {
  const panes = parts.map((part) => accumulate(aggregate, part));
  const before = structuredClone(panes);
  const left = [...panes];
  while (left.length > 1) {
    const at = where(left.length - 1);
    left.splice(at, 2, aggregate.merge(left[at] as never, left[at + 1] as never));
  }
  const result = resultOf(aggregate, aggregate.merge(aggregate.create() as never, left[0] as never));
  const extra = parts.flat()[0];
  if (extra !== undefined) aggregate.add(left[0] as never, aggregate.take(extra.value, extra.time) as never, 0);
  if (panes.length > 1) assert.deepEqual(panes, before, 'a pane was changed by a merge');
  return result;
}

/** From a total that took in all parts, after others before them that were taken away again. */
function running<V, R>(
  aggregate: Aggregate<V, R>,
  parts: readonly (readonly Sample<V>[])[],
  gone: readonly Sample<V>[],
): R | undefined {
  if (aggregate.running === undefined) return undefined;
  const { absorb, remove } = aggregate.running;
  const total = aggregate.create();
  const oldest = accumulate(aggregate, gone);
  absorb(total as never, oldest as never);
  for (const part of parts) absorb(total as never, accumulate(aggregate, part) as never);
  remove(total as never, oldest as never);
  return resultOf(aggregate, total);
}

/** Draws panes of values, each with its own range of times but for the last, which the next one has too, and compares every way with `naive`. */
export function agrees<V, R>(
  aggregate: Aggregate<V, R>,
  values: fc.Arbitrary<V>,
  naive: (samples: readonly Sample<V>[]) => R,
  equal: (got: R, want: R) => void = (got, want) => assert.deepEqual(got, want),
): void {
  const pane = fc.array(fc.record({ value: values, time: fc.integer({ min: 0, max: 9 }) }), {
    minLength: 1,
    maxLength: 8,
  });
  const panes = fc.array(pane, { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(panes, fc.infiniteStream(fc.nat()), pane, (drawn, chance, gone) => {
      const parts = drawn.map((samples, i) => samples.map(({ value, time }) => ({ value, time: time + 9 * i })));
      const all = parts.flat();
      const want = naive(all);
      equal(inOne(aggregate, all), want);
      const where = (most: number) => chance.next().value % Math.max(1, most);
      equal(merged(aggregate, parts, where), want);
      const total = running(
        aggregate,
        parts,
        gone.map(({ value, time }) => ({ value, time: time - 9 })),
      );
      if (total !== undefined) equal(total, want);
    }),
    { numRuns: 200 },
  );
}

/** Equal but for what rounding makes of it: within 1e-9 of the size of what was added up. */
export function nearly(scale: number): (got: number, want: number) => void {
  return (got, want) => assert.ok(Math.abs(got - want) <= 1e-9 * scale, `${got} is not ${want}`);
}
