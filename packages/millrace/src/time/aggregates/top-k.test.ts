import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { agrees } from './every-way.fixture.ts';
import { topK } from './top-k.ts';

test('topK gives the largest first, and of equal ones the earlier', () => {
  const values = fc.record({ rank: fc.integer({ min: 0, max: 5 }), id: fc.nat() }, { noNullPrototype: true });
  for (const k of [1, 3, 100]) {
    agrees(
      topK(k, (v: { rank: number }) => v.rank),
      values,
      (samples) =>
        [...samples]
          .sort((a, b) => b.value.rank - a.value.rank || a.time - b.time)
          .slice(0, k)
          .map(({ value }) => value),
    );
  }
});

test('k is a number of values, and ranks are finite numbers', () => {
  assert.throws(() => topK(0, () => 1), {
    code: 'MR_OPTION',
    message: "'topK': k is 0, which is not an integer from 1 to 10000",
  });
  assert.throws(() => topK(1, () => Number.NaN).take({}, 0), {
    code: 'MR_NOT_FINITE',
    message: /^topK\(…\) was given NaN/,
  });
});
