import { test } from 'node:test';
import fc from 'fast-check';
import { agrees } from './every-way.fixture.ts';
import { max, min } from './extremes.ts';

test('min and max are the smallest and the largest number', () => {
  agrees(
    min((x: number) => x),
    fc.integer(),
    (samples) => Math.min(...samples.map(({ value }) => value)),
  );
  agrees(
    max((x: number) => -x),
    fc.integer(),
    (samples) => Math.max(...samples.map(({ value }) => -value)),
  );
});
