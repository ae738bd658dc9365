import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compact } from './compact.ts';

const trip = (value: unknown) => compact.decode(compact.encode(value));
const isJson = (value: unknown) => compact.encode(value)[0] !== 0xff;

test('every value comes back as it was, whichever way it went', () => {
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withSparseArray: true,
    withTypedArray: true,
  });
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), anything), (value) => {
      assert.deepEqual(trip(value), value);
    }),
    { numRuns: 2_000 },
  );
  assert.equal((trip(/b/.exec('abc')) as RegExpExecArray).index, 1);
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  assert.equal((trip(cycle) as typeof cycle).self === cycle, false);
  assert.deepEqual(trip(cycle), cycle);
  assert.deepEqual(trip(JSON.parse('{"__proto__":{"a":1}}')), JSON.parse('{"__proto__":{"a":1}}'));
});

test('what is small and plain goes as JSON, and what JSON would change does not', () => {
  for (const value of ['é\ud800', 1.5, true, null, [], {}, [[1], { a: [{ b: 'c' }] }]])
    assert.ok(isJson(value), `${value}`);
  const kept = [
    undefined,
    Number.NaN,
    -0,
    Infinity,
    1n,
    new Date(0),
    new Map(),
    [undefined],
    { a: undefined },
    [new Set()],
  ];
  for (const value of [...kept, /b/.exec('abc'), new Array(100).fill(1), { a: new Array(3) }])
    assert.equal(isJson(value), false);
});

test('what cannot be encoded, and bytes of something else, are refused', () => {
  assert.throws(() => compact.encode({ run() {} }), { code: 'MR_ENCODE', message: /value\.run is the function/ });
  assert.throws(() => compact.encode({ toJSON: () => 1 }), { code: 'MR_ENCODE' });
  for (const bytes of [new Uint8Array(0), new Uint8Array([0xff, 1]), new TextEncoder().encode('[1')]) {
    assert.throws(() => compact.decode(bytes), { code: 'MR_DECODE' });
  }
  assert.deepEqual(compact.decode(new Uint8Array([0x20, ...compact.encode([5]), 0x20]).subarray(1, 4)), [5]);
});
