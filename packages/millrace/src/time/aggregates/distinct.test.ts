import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Key } from '../../topology/key.ts';
import { distinct } from './distinct.ts';
import { agrees, inOne } from './every-way.fixture.ts';

test('distinct counts each key once', () => {
  const keys: fc.Arbitrary<Key> = fc.oneof(
    fc.integer({ min: 0, max: 9 }),
    fc.constantFrom('a', 'b', '1', true),
    fc.tuple(fc.constantFrom('a', 'b'), fc.integer({ min: 0, max: 2 })),
  );
  agrees(
    distinct((key: Key) => key),
    keys,
    (samples) => new Set(samples.map(({ value }) => JSON.stringify(value))).size,
  );
});

test('1, "1", true and [1] are four, 0 and -0 one; what is no key is refused', () => {
  const count = distinct((x: unknown) => x as Key);
  const of = (values: readonly unknown[]) =>
    inOne(
      count,
      values.map((value) => ({ value, time: 0 })),
    );
  assert.equal(of([1, '1', true, [1], 1, [1]]), 4);
  assert.equal(of([0, -0]), 1);
  for (const none of [undefined, null, Number.NaN, {}]) {
    assert.throws(() => count.take(none, 0), { code: 'MR_KEY', message: /^distinct\(…\): .* cannot be a key/ });
  }
});
