import assert from 'node:assert/strict';
import { test } from 'node:test';
import { structured, unfaithful } from './structured.ts';

const trip = (value: unknown) => structured.decode(structured.encode(value));

test('what JSON loses survives', () => {
  const value = {
    date: new Date(5),
    map: new Map<unknown, unknown>([[{ a: 1 }, new Set([1n, Number.NaN])]]),
    typed: new Float64Array([1, -0]),
    none: undefined,
    holes: [undefined, null],
    pattern: /x/g,
  };
  assert.deepEqual(trip(value), value);
  assert.deepEqual(trip(new Uint8Array([1, 2, 3]).subarray(1)), new Uint8Array([2, 3]));
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const back = trip(cycle) as typeof cycle;
  assert.equal(back.self, back);
});

test('a function or a symbol is refused, with the path to it', () => {
  const refused = (value: unknown, message: string) =>
    assert.throws(
      () => structured.encode(value),
      (error: Error & { code?: string }) => error.code === 'MR_ENCODE' && error.message.startsWith(message),
    );
  refused(() => 1, 'value is the function (anonymous)');
  refused({ a: [1, { run() {} }] }, 'value.a[1].run is the function run');
  refused(new Map([['k', Symbol('s')]]), 'value.get("k") is the symbol Symbol(s)');
  refused({ seen: new Set([Symbol.iterator]) }, 'value.seen.values() is the symbol');
  refused(new Map([[Symbol('s'), 1]]), 'value.keys() is the symbol Symbol(s)');
  refused({ later: Promise.resolve() }, 'value.later is an instance of Promise');
  const cycle: { self?: unknown; run?: unknown } = {};
  cycle.self = cycle;
  cycle.run = () => {};
  refused(cycle, 'value.run is the function');
});

test('bytes of something else are refused', () => {
  assert.throws(() => structured.decode(new TextEncoder().encode('hello')), {
    code: 'MR_DECODE',
    message: /"hello" \(5 bytes\)/,
  });
  assert.throws(() => structured.decode(new Uint8Array(0)), { code: 'MR_DECODE', message: /nothing \(0 bytes\)/ });
  const cut = structured.encode({ a: 'a long enough text' }).subarray(0, 9);
  assert.throws(() => structured.decode(cut), { code: 'MR_DECODE' });
});

test('what would come back as something else is found, with the path to it', () => {
  class Sum {
    n = 0;
  }
  const found = (value: unknown) => unfaithful(value) && Object.values(unfaithful(value)!).join(': ');
  assert.equal(found({ a: [new Sum()] }), 'value.a[0]: an instance of Sum');
  assert.equal(found(new Map([['k', { run() {} }]])), 'value.get("k").run: the function run');
  assert.equal(found(new WeakSet()), 'value: an instance of WeakSet');
  assert.equal(
    found(() => 1),
    'value: the function (anonymous)',
  );
  assert.equal(found(Object.create({ inherited: 1 })), 'value: an instance of Object');
  const plain = [1, 'a', null, undefined, 1n, new Date(0), new Set([/x/g]), new Float64Array(1), new ArrayBuffer(1)];
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  for (const value of [...plain, plain, { plain }, cycle, Object.create(null), new RangeError('x'), Object(1)]) {
    assert.equal(found(value), undefined);
  }
});
