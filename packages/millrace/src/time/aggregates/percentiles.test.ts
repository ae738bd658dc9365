import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DDSketch } from '@datadog/sketches-js';
import fc from 'fast-check';
import { agrees, inOne } from './every-way.fixture.ts';
import { percentiles } from './percentiles.ts';

const quantiles = [0, 0.25, 0.5, 0.9, 0.99, 1] as const;
const of = percentiles(quantiles, (x: number) => x);
const numbers = fc.oneof(
  fc.double({ min: -1e6, max: 1e6, noNaN: true }),
  fc.integer({ min: -5, max: 5 }),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 }),
);
const isWithin = (got: number, exact: number) =>
  Math.abs(got - exact) <= 0.01 * Math.abs(exact) * (1 + 1e-9) || (got === 0 && Math.abs(exact) < 2 ** -1022);

test('each percentile is within 1 % of the number at its rank, of numbers of any size and sign', () => {
  agrees(
    of,
    numbers,
    (samples) => {
      const sorted = samples.map(({ value }) => value).sort((a, b) => a - b);
      return quantiles.map((q) => sorted[Math.floor(q * (sorted.length - 1))]!) as never;
    },
    (got, exact) => {
      for (const [i, number] of got.entries())
        assert.ok(isWithin(number, exact[i]!), `${number} is not near ${exact[i]}`);
    },
  );
});

test('percentiles are those of the library', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: -1e9, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 300 }), (all) => {
      // Which of the smallest numbers that there are count as zero, the two say differently.
      const drawn = all.map((x) => (Math.abs(x) < 1e-300 ? 0 : x));
      const judge = new DDSketch({ relativeAccuracy: 0.01 });
      for (const x of drawn) judge.accept(x);
      const got = inOne(
        of,
        drawn.map((value) => ({ value, time: 0 })),
      );
      // The library's logarithm may put a number at the edge of a bin into the next one.
      for (const [i, q] of quantiles.entries()) {
        const want = judge.getValueAtQuantile(q);
        assert.ok(Math.abs(got[i]! - want) <= 0.0201 * Math.abs(want), `${got[i]} is not ${want}`);
      }
    }),
    { numRuns: 200 },
  );
});

test('the largest and the smallest numbers have a finite answer', () => {
  const extremes = [Number.MAX_VALUE, -Number.MAX_VALUE, Number.MIN_VALUE, 0].map((value) => ({ value, time: 0 }));
  const got = inOne(of, extremes);
  assert.ok(got.every(Number.isFinite), String(got));
  assert.deepEqual([got[2], got[3]], [0, 0]);
});

test('quantiles are a list of numbers from 0 to 1', () => {
  for (const wrong of [[], [50], [-0.1], [Number.NaN], 0.5]) {
    assert.throws(() => percentiles(wrong as number[], () => 1), {
      code: 'MR_OPTION',
      message: /numbers from 0 to 1$/,
    });
  }
});
