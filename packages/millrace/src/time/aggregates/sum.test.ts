import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { agrees, inOne, merged, nearly } from './every-way.fixture.ts';
import { mean, sum } from './sum.ts';

const numbers = fc.double({ min: -1e6, max: 1e6, noNaN: true });

test('sum and mean are those of a loop', () => {
  const naive = (samples: readonly { value: number }[]) => samples.reduce((total, { value }) => total + value, 0);
  agrees(
    sum((x: number) => x),
    numbers,
    naive,
    nearly(1e8),
  );
  agrees(
    mean((x: number) => x),
    numbers,
    (samples) => naive(samples) / samples.length,
    nearly(1e8),
  );
});

test('small numbers are not lost beside a large one, whatever comes first and however it is merged', () => {
  const at = (value: number) => ({ value, time: 0 });
  const total = sum((x: number) => x);
  const parts = [[at(1e16)], Array.from({ length: 1000 }, () => at(1)), [at(-1e16)]];
  assert.equal(inOne(total, parts.flat()), 1000);
  assert.equal(inOne(total, parts.flat().reverse()), 1000);
  assert.equal(
    merged(total, parts, () => 0),
    1000,
  );
  assert.equal(
    merged(total, parts, (most) => most - 1),
    1000,
  );
});

test('a sum beyond the largest number is infinite, not NaN', () => {
  const huge = { value: Number.MAX_VALUE, time: 0 };
  assert.equal(
    inOne(
      sum((x: number) => x),
      [huge, huge, huge],
    ),
    Number.POSITIVE_INFINITY,
  );
});

test('what is no finite number is refused before it gets in, by the name of the aggregate', () => {
  for (const got of [Number.NaN, Number.NEGATIVE_INFINITY, undefined, '7', 7n, null]) {
    assert.throws(() => mean(() => got as number).take({}, 0), {
      code: 'MR_NOT_FINITE',
      message: new RegExp(`^mean\\(…\\) was given ${got === '7' ? '"7"' : String(got)}, which is not a finite number`),
    });
  }
  assert.throws(() => sum('value' as never), { code: 'MR_OPTION', message: /^'sum': what it is of is "value", which/ });
});
