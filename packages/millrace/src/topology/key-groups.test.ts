/** Properties of keys and key groups (law 6), over generated keys; examples and fixed values are in key.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { Key } from './key.ts';
import { canonicalKey, KEY_GROUPS, keyGroup, taskOfKeyGroup } from './key.ts';

/** Few and nasty pieces, so that equal keys and near misses are common: marks, digits, separators, lone surrogates. */
const text = fc.oneof(
  fc.string({ unit: fc.constantFrom('\0', '(', 's', 'n', 'i', 'o', '1', ':', '-', '\ud800', 'é'), maxLength: 6 }),
  fc.constantFrom('', '1', '-1', 'true', 'false', '\0(', '\0s', '\0(s1:a', '\0(n1:1'),
);
const primitive: fc.Arbitrary<Key> = fc.oneof(
  text,
  fc.integer({ min: -2, max: 2 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.bigInt({ min: -2n, max: 2n }),
  fc.boolean(),
);
const key = fc.letrec<{ key: Key; tuple: Key }>((tie) => ({
  key: fc.oneof({ depthSize: 'small', withCrossShrink: true }, primitive, tie('tuple')),
  tuple: fc.array(tie('key'), { maxLength: 3 }),
})).key;

/** Equal keys: the same type and value, tuples element by element; −0 is 0. */
function sameKey(a: Key, b: Key): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((x, i) => sameKey(x, b[i]!));
  return a === b;
}

test('two keys have one canonical form if, and only if, they are equal', () => {
  fc.assert(
    fc.property(key, key, (a, b) => {
      assert.equal(canonicalKey(a) === canonicalKey(b), sameKey(a, b));
    }),
    { numRuns: 5000 },
  );
});

test('a tuple equals no string, not even one that is spelled like its canonical form', () => {
  fc.assert(
    fc.property(fc.array(key, { maxLength: 3 }), (tuple) => {
      const canonical = canonicalKey(tuple);
      assert.equal(typeof canonical, 'string');
      assert.notEqual(canonicalKey(canonical), canonical);
      assert.notEqual(canonicalKey([canonical!]), canonicalKey([tuple]));
    }),
    { numRuns: 1000 },
  );
});

test('the borders between the elements of a tuple count', () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      if (b !== '') assert.notEqual(canonicalKey([a, b]), canonicalKey([a + b]));
      assert.notEqual(canonicalKey([a, [b]]), canonicalKey([a, b]));
      assert.notEqual(canonicalKey([[a], b]), canonicalKey([a, [b]]));
      // One element that reads as the two would without their lengths.
      for (const mark of ['s', 'n', 'o', `s${b.length}:`]) {
        assert.notEqual(canonicalKey([a, b]), canonicalKey([`${a}${mark}${b}`]));
      }
    }),
  );
  assert.notEqual(canonicalKey([1, 2]), canonicalKey(['1', '2']));
  assert.ok(Object.is(canonicalKey(-0), 0));
});

test('a tuple with an element that is no key is no key, however deep', () => {
  const noKey = fc.constantFrom(null, undefined, Number.NaN, Number.POSITIVE_INFINITY, {}, Symbol('s'), () => 1);
  fc.assert(
    fc.property(fc.array(key, { maxLength: 3 }), noKey, fc.nat(3), (tuple, bad, depth) => {
      let broken: unknown = bad;
      for (let i = 0; i < depth; i++) broken = [...tuple, broken];
      assert.equal(canonicalKey(broken), undefined);
    }),
  );
});

test('equal keys share a key group, which is one of 256, and a task, which exists', () => {
  fc.assert(
    fc.property(key, fc.integer({ min: 1, max: KEY_GROUPS }), (k, tasks) => {
      const group = keyGroup(canonicalKey(k)!);
      assert.ok(Number.isInteger(group) && group >= 0 && group < KEY_GROUPS);
      assert.equal(keyGroup(canonicalKey(structuredClone(k))!), group);
      const task = taskOfKeyGroup(group, tasks);
      assert.ok(Number.isInteger(task) && task >= 0 && task < tasks);
    }),
  );
});

test('each task owns one run of neighbouring groups, and no task has two more than another', () => {
  for (let tasks = 1; tasks <= KEY_GROUPS; tasks++) {
    const owners = Array.from({ length: KEY_GROUPS }, (_, group) => taskOfKeyGroup(group, tasks));
    assert.ok(
      isDeepStrictEqual(
        owners,
        [...owners].sort((a, b) => a - b),
      ),
      'runs',
    );
    const sizes = Array.from({ length: tasks }, (_, task) => owners.filter((owner) => owner === task).length);
    assert.ok(Math.min(...sizes) >= 1 && Math.max(...sizes) - Math.min(...sizes) <= 1, `${tasks} tasks: ${sizes}`);
  }
});

/** Chi-squared of how many keys each group got, against an even spread: 255 degrees of freedom, so about 255 ± 23. */
function unevenness(keys: readonly Key[]): number {
  const counts = new Array<number>(KEY_GROUPS).fill(0);
  for (const k of keys) counts[keyGroup(canonicalKey(k)!)]!++;
  const expected = keys.length / KEY_GROUPS;
  return counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
}

test('keys as people choose them spread evenly over the groups', () => {
  const n = 20_000;
  const numbered = (make: (i: number) => Key): Key[] => Array.from({ length: n }, (_, i) => make(i));
  const families: Readonly<Record<string, Key[]>> = {
    'device-17': numbered((i) => `device-${i}`),
    'zero padded': numbered((i) => `sensor/${String(i).padStart(8, '0')}`),
    integers: numbered((i) => i),
    'multiples of 256': numbered((i) => i * 256),
    'negative fractions': numbered((i) => -i / 8),
    bigints: numbered((i) => BigInt(i) << 40n),
    tuples: numbered((i) => [`site-${i % 100}`, Math.floor(i / 100)]),
    'hosts of a network': numbered((i) => `10.0.${i >> 8}.${i & 255}`),
  };
  for (const [family, keys] of Object.entries(families)) {
    const measured = unevenness(keys);
    assert.ok(measured < 255 + 6 * 23, `${family}: chi-squared ${measured.toFixed(0)}`);
  }
});
