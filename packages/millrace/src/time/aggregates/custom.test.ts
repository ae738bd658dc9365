import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { aggregate, reduce } from './custom.ts';
import { agrees, inOne } from './every-way.fixture.ts';

test('an aggregate of one’s own is merged as its functions say, and knows its window', () => {
  const longest = aggregate({
    create: () => ({ text: '' }),
    add: (longest, text: string) => (text.length > longest.text.length ? { text } : longest),
    merge: (a, b) => (b.text.length > a.text.length ? b : a),
    result: ({ text }, { start, end }) => `${start}-${end} ${text.length}`,
  });
  agrees(longest, fc.string(), (samples) => `0-100 ${Math.max(...samples.map(({ value }) => value.length))}`);
});

test('reduce makes all values one, and needs no value to begin with', () => {
  agrees(
    reduce((a: number, b: number) => Math.max(a, b)),
    fc.integer(),
    (samples) => Math.max(...samples.map(({ value }) => value)),
  );
});

test('whoever changes an accumulator in place is told at once: a step that fails could not undo it', () => {
  const list = aggregate<number, number[]>({
    create: () => [],
    add(all, x) {
      all.push(x);
      return all;
    },
    merge: (a, b) => [...a, ...b],
  });
  assert.throws(() => inOne(list, [{ value: 1, time: 0 }]), TypeError);
});

test('a missing function is told when the topology is built', () => {
  assert.throws(() => aggregate({ create: () => 0, add: (n: number) => n } as never), {
    code: 'MR_OPTION',
    message: "'aggregate': merge is undefined, which is not a function",
  });
});
