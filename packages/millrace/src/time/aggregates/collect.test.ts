import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collect } from './collect.ts';
import { agrees } from './every-way.fixture.ts';

test('collect gives all values in the order of their times, equal times as they came', () => {
  agrees(
    collect((x: number) => x),
    fc.integer(),
    (samples) => [...samples].sort((a, b) => a.time - b.time).map(({ value }) => value),
  );
});

test('a result that was given out does not grow with its window', () => {
  const all = collect((x: number) => x);
  const accumulator = all.add(all.create() as never, 1 as never, 0);
  const result = all.result(accumulator as never, { start: 0, end: 1 });
  all.add(accumulator as never, 2 as never, 0);
  assert.deepEqual(result, [1]);
});
