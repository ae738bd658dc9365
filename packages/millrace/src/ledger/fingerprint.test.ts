import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serialize } from 'node:v8';
import { fingerprint } from './fingerprint.ts';

test('equal values have equal fingerprints, however V8 holds them', () => {
  const point = (x: number) => ({ y: 1, x });
  const before = point(5);
  point(1.5);
  const after = point(5);
  assert.notDeepEqual(serialize(before), serialize(after), 'V8 writes them differently');
  assert.equal(fingerprint(before), fingerprint(after));
  const holey: number[] = new Array(2);
  holey[0] = 1;
  holey[1] = 2;
  assert.equal(fingerprint(holey), fingerprint([1, 2]));
});

test('different values have different fingerprints', () => {
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  const values = [
    ...[undefined, null, true, false, 0, -0, 1, '1', 1n, NaN, '', 'null', 'undefined'],
    ...[[], [[]], [1, 2], [12], ['1', '2'], ['12'], [undefined], cyclic, {}, { a: 1 }, { b: 1 }, { a: '1' }],
    ...[new Map(), new Map([[1, 2]]), new Set(), new Set([1, 2]), new Date(1), new Uint8Array(1), new Uint8Array(2)],
  ];
  assert.equal(new Set(values.map(fingerprint)).size, values.length);
});
