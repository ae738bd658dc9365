import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { first, last } from './ends.ts';
import { agrees, inOne, type Sample } from './every-way.fixture.ts';

/** A stable sort: of equal times, the order in which they came. */
const inOrder = <V>(samples: readonly Sample<V>[]) => [...samples].sort((a, b) => a.time - b.time);

test('first and last go by event time, and of equal times by arrival', () => {
  agrees(
    first((x: number) => x),
    fc.integer(),
    (samples) => inOrder(samples)[0]!.value,
  );
  agrees(
    last((x: number) => x),
    fc.integer(),
    (samples) => inOrder(samples).at(-1)!.value,
  );
});

test('a value that is undefined counts as one', () => {
  const samples = [
    { value: undefined, time: 1 },
    { value: 2, time: 2 },
  ];
  assert.equal(
    inOne(
      first((x: number | undefined) => x),
      samples,
    ),
    undefined,
  );
});
