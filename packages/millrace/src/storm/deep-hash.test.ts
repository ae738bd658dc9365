import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { StormValue } from './deep-hash.ts';
import { deepHash, stormTask } from './deep-hash.ts';

test("Storm's own vectors: hash, task of 4, task of 7", () => {
  const vectors: readonly (readonly [readonly StormValue[], number, number, number])[] = [
    [['dog'], 99_675, 3, 2],
    [['cat'], 98_293, 1, 6],
    [['zebra'], 115_776_293, 1, 3],
    [['elephant'], -5_491_920, 0, 0],
    [[''], 31, 3, 3],
    [[5], 36, 0, 1],
    [[-1], 30, 2, 2],
    [[1.5], 1_073_217_567, 3, 2],
    [[true], 1262, 2, 2],
    [[null], 31, 3, 3],
    [['a', 1], 3969, 1, 0],
  ];
  for (const [values, hash, of4, of7] of vectors) {
    assert.deepEqual([values, deepHash(values), stormTask(values, 4), stormTask(values, 7)], [values, hash, of4, of7]);
  }
});

/** Each right-hand side is `Arrays.deepHashCode` of the same values in Java 17. */
test('every class of value hashes as in Java', () => {
  const vectors: readonly (readonly [readonly StormValue[], number])[] = [
    [[], 1],
    [['dog', 'cat'], 3_188_187],
    [['cat', 'dog'], 3_146_727],
    [['žluťoučký 🐎'], -1_109_054_027],
    [['\ud800'], 55_327],
    [[false], 1268],
    [[0], 31],
    [[-0], 31],
    [[2_147_483_647], -2_147_483_618],
    [[-2_147_483_648], -2_147_483_617],
    [[2_147_483_648], -2_147_483_617],
    [[-2_147_483_649], -2_147_483_617],
    [[Number.MAX_SAFE_INTEGER], -2_097_121],
    [[9_223_372_036_854_775_807n], -2_147_483_617],
    [[-9_223_372_036_854_775_808n], -2_147_483_617],
    [[5n], 36],
    [[-1.5], -1_074_266_081],
    [[0.1], -1_507_852_254],
    [[1e-7], -1_530_496_807],
    [[5e-324], 32],
    [[1.5e-300], -745_888_717],
    [[['a', 1, null]], 123_070],
    [[['a', [1, 2.5], []]], -1_065_461_568],
    [[{ b: 2, a: 'x', n: null, l: [true] }], 1416],
    [[{ a: 'x', l: [true], n: null, b: 2 }], 1416],
    [[{}], 31],
  ];
  for (const [values, hash] of vectors) assert.deepEqual([values, deepHash(values)], [values, hash]);
});

test('the trap: 3.0 is the Integer 3 here, and not the Double 3.0 of a Java component', () => {
  const doubleOfJava = 1_074_266_143;
  assert.equal(deepHash([3.0]), 34);
  assert.notEqual(deepHash([3.0]), doubleOfJava);
});

test('a task is always one of those there are', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.integer(),
      fc.integer({ min: 1, max: 1000 }),
      (text, number, tasks) => {
        const task = stormTask([text, number], tasks);
        assert.ok(Number.isInteger(task) && task >= 0 && task < tasks);
        assert.ok(Object.is(stormTask([number], 1), 0), 'never −0');
      },
    ),
  );
});

test('a value whose class on Storm cannot be told is refused', () => {
  const refused = [Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 1e21, 0.1 + 0.2, 2n ** 63n, undefined, Symbol('s')];
  for (const value of refused) {
    assert.throws(() => deepHash([[value as never]]), {
      code: 'MR_STORM_VALUE',
      message: /^.+ has no hash on Storm that can be told in advance: group by text, /,
    });
  }
});
