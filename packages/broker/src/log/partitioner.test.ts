import assert from 'node:assert/strict';
import { test } from 'node:test';
import { murmur2, partitionForKey } from './partitioner.ts';

test("murmur2 gives the values of the Java client's own test", () => {
  const vectors: [string, number][] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ];
  for (const [key, expected] of vectors) assert.equal(murmur2(Buffer.from(key)), expected, key);
});

test('a negative hash loses its sign bit, as in toPositive, and not its absolute value', () => {
  assert.equal(partitionForKey(Buffer.from('foobar'), 7), (-790332482 & 0x7fffffff) % 7);
  assert.notEqual((-790332482 & 0x7fffffff) % 7, 790332482 % 7);
});

test('every key goes to a partition that exists', () => {
  for (let n = 0; n < 1000; n++) {
    const partition = partitionForKey(Buffer.from(`key ${n}`), 3);
    assert.ok(partition === 0 || partition === 1 || partition === 2);
  }
});
