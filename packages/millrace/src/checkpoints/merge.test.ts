import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SavedKey } from '../state/keyed-store.ts';
import type { Key } from '../topology/key.ts';
import type { SavedPart } from './checkpoint-store.ts';
import { keysOf, shapes } from './checkpoints.fixture.ts';
import { mergedKeys, mergeFrom, runsOfEqualShapes } from './merge.ts';

function part(values: ReadonlyMap<Key, string | undefined>, opened: { count: number }): SavedPart {
  return {
    shapes,
    what: 'changes',
    *keys() {
      opened.count++;
      try {
        yield* keysOf(values);
      } finally {
        opened.count--;
      }
    },
  };
}

const opened = { count: 0 };
const old = part(
  new Map<Key, string | undefined>([
    ['a', '1'],
    ['b', '1'],
    ['gone', undefined],
    [1, 'n'],
    [-0, 'z'],
  ]),
  opened,
);
const newer = part(
  new Map<Key, string | undefined>([
    ['b', '2'],
    ['1', 's'],
    ['c', '2'],
  ]),
  opened,
);
const newest = part(
  new Map<Key, string | undefined>([
    ['c', undefined],
    ['b', '3'],
    [0, 'zero'],
    ['d', '3'],
  ]),
  opened,
);

function shown(keys: Iterable<SavedKey | undefined>): Map<Key, string | undefined> {
  const all = [...keys].filter((key) => key !== undefined);
  const groups = all.map(({ group }) => group);
  assert.deepEqual(
    groups,
    groups.toSorted((a, b) => a - b),
    'by key group',
  );
  return new Map(all.map(({ key, data }) => [key, data && Buffer.from(data).toString()]));
}

test('the newest word on each key stays; keys that are gone stay while something older may know them', () => {
  assert.deepEqual(
    shown(mergedKeys([old, newer, newest], false)),
    shown(
      keysOf(
        new Map<Key, string | undefined>([
          ['a', '1'],
          ['b', '3'],
          ['gone', undefined],
          [1, 'n'],
          ['1', 's'],
          ['c', undefined],
          [0, 'zero'],
          ['d', '3'],
        ]),
      ),
    ),
  );
  assert.deepEqual(
    new Set(shown(mergedKeys([old, newer, newest], true)).keys()),
    new Set<Key>(['a', 'b', 1, '1', 0, 'd']),
  );
  assert.equal(opened.count, 0);
});

test('a merge that is given up lets go of what it reads', () => {
  const keys = mergedKeys([old, newer], false);
  keys.next();
  assert.equal(opened.count, 2);
  keys.return(undefined);
  assert.equal(opened.count, 0);
});

/** Bytes written by merges for each byte of changes, and the longest chain, for changes of one byte to `universe` bytes. */
function longRun(universe: number): { readonly written: number; readonly longest: number } {
  const changes = 20 * universe;
  const sizeOf = (covered: number) => universe * (1 - Math.exp(-covered / universe));
  let chain = [Number.POSITIVE_INFINITY];
  let written = 0;
  let longest = 0;
  for (let n = 0; n < changes; n++) {
    chain.push(1);
    longest = Math.max(longest, chain.length);
    const from = mergeFrom(chain.map(sizeOf));
    if (from === undefined) continue;
    const covered = chain.slice(from).reduce((sum, one) => sum + one, 0);
    written += sizeOf(covered);
    chain = [...chain.slice(0, from), covered];
  }
  return { written: written / changes, longest };
}

test('however large the state is against its changes, chains stay short and each change is written a few times', () => {
  for (const [universe, most] of [
    [10, 2],
    [100, 4],
    [1000, 6],
    [10_000, 10],
  ] as const) {
    const { written, longest } = longRun(universe);
    assert.ok(longest <= 10, `${longest} parts`);
    assert.ok(written < most, `${written} times with ${universe}`);
  }
});

test('nothing is merged where there is nothing to gain, and parts without bytes do not pile up', () => {
  assert.equal(mergeFrom([]), undefined);
  assert.equal(mergeFrom([5]), undefined);
  assert.equal(mergeFrom([1000, 10, 10, 10]), undefined);
  assert.equal(mergeFrom([1000, 10, 10, 10, 10]), 1);
  assert.equal(mergeFrom([1000, 0, 0, 0, 0]), 1);
  assert.equal(mergeFrom([5, 5, 5, 5]), 0);
});

test('parts of other shapes are not merged with each other', () => {
  const other = { ...newer, shapes: { states: [], timers: [] } };
  const copy = { ...newest, shapes: structuredClone(shapes) };
  assert.deepEqual(runsOfEqualShapes([old, newer, other, copy, newest]), [[old, newer], [other], [copy, newest]]);
});
