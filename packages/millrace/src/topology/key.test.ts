/** Examples of keys, and the values that are on disk: they must never change. Properties are in key-groups.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError } from '../errors.ts';
import type { CanonicalKey, Key } from './key.ts';
import { canonicalKey, keyGroup, notAKey, taskOfKeyGroup } from './key.ts';

const written: readonly (readonly [key: Key, canonical: CanonicalKey, group: number])[] = [
  ['', '', 11],
  ['sensor-1', 'sensor-1', 69],
  ['sensor-2', 'sensor-2', 233],
  ['größer', 'größer', 87],
  ['日本', '日本', 77],
  ['\0x', '\0s\0x', 14],
  [0, 0, 4],
  [-0, 0, 4],
  [1, 1, 1],
  [-1, -1, 107],
  [1.5, 1.5, 181],
  [1e21, 1e21, 50],
  [5n, 5n, 36],
  [-5n, -5n, 169],
  [true, true, 101],
  [false, false, 230],
  [[], '\0(', 0],
  [['a'], '\0(s1:a', 19],
  [['a', 1], '\0(s1:an1:1', 229],
  [[['a'], 1n, true], '\0(s6:\0(s1:ai1:1o4:true', 76],
  [['', ''], '\0(s0:s0:', 182],
  [['\0('], '\0(s4:\0s\0(', 223],
];

test('the canonical form and the group of a key are those that are on disk', () => {
  for (const [key, canonical, group] of written) {
    assert.equal(canonicalKey(key), canonical);
    assert.equal(keyGroup(canonical), group, String(canonical));
  }
});

test('null, undefined, NaN, infinities, objects and functions are no keys', () => {
  for (const value of [
    null,
    undefined,
    Number.NaN,
    -Infinity,
    {},
    new Date(0),
    () => 1,
    Symbol('s'),
    [1, null],
    [[{}]],
  ])
    assert.equal(canonicalKey(value), undefined);
});

test('a group belongs to the same share of the tasks, however many there are', () => {
  assert.deepEqual(
    [0, 63, 64, 127, 128, 255].map((group) => taskOfKeyGroup(group, 4)),
    [0, 0, 1, 1, 2, 3],
  );
  assert.deepEqual(
    [0, 85, 86, 170, 171, 255].map((group) => taskOfKeyGroup(group, 3)),
    [0, 0, 1, 1, 2, 2],
  );
  assert.deepEqual(
    [0, 255].map((group) => taskOfKeyGroup(group, 1)),
    [0, 0],
  );
  assert.deepEqual(
    [0, 17, 255].map((group) => taskOfKeyGroup(group, 256)),
    [0, 17, 255],
  );
});

test('what is no key is named, with the place where it came', () => {
  const shown = (got: unknown) => {
    const error = notAKey("'detect'", got);
    assert.ok(error instanceof MillraceError && error.code === 'MR_KEY');
    return /: (.*) cannot be a key/.exec(error.message)?.[1];
  };
  assert.deepEqual([null, undefined, Number.NaN, { a: 1 }, [1, null]].map(shown), [
    'null',
    'undefined',
    'NaN',
    'an object',
    'a tuple with such an element',
  ]);
});
