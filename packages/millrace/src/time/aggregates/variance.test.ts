import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Sample } from './every-way.fixture.ts';
import { agrees, inOne, nearly } from './every-way.fixture.ts';
import { stddev, variance } from './variance.ts';

const numbers = fc.double({ min: -1e3, max: 1e3, noNaN: true });

/** In two passes. */
function naive(samples: readonly Sample<number>[]): number {
  const mean = samples.reduce((total, { value }) => total + value, 0) / samples.length;
  return samples.reduce((total, { value }) => total + (value - mean) ** 2, 0) / samples.length;
}

test('variance and standard deviation are those of the population', () => {
  agrees(
    variance((x: number) => x),
    numbers,
    naive,
    nearly(1e6),
  );
  agrees(
    stddev((x: number) => x),
    numbers,
    (samples) => Math.sqrt(naive(samples)),
    (got, want) => nearly(1e6)(got * got, want * want),
  );
});

test('a single value varies by 0, and numbers far from 0 vary as others do', () => {
  const far = [1, 2, 3, 4].map((x) => ({ value: 1e9 + x, time: 0 }));
  assert.equal(
    inOne(
      variance((x: number) => x),
      far.slice(0, 1),
    ),
    0,
  );
  assert.equal(
    inOne(
      variance((x: number) => x),
      far,
    ),
    1.25,
  );
});
