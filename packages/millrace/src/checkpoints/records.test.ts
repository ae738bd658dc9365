import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SavedKey } from '../state/keyed-store.ts';
import type { Key } from '../topology/key.ts';
import { ByteReader, boundOf, writeKey } from './key-bytes.ts';
import { EntryBlocks, entriesIn, KeyBlocks, keysIn } from './records.ts';

function backAndForth(key: Key): Key {
  const bound = boundOf(key);
  const bytes = Buffer.alloc(bound + 2, 0xee);
  const end = writeKey(bytes, 1, key);
  assert.ok(end - 1 <= bound, 'no more than its bound');
  assert.equal(bytes[end], 0xee, 'nothing behind its end');
  const reader = new ByteReader(bytes, 1);
  const back = reader.key();
  assert.equal(reader.at, end);
  reader.at = 1;
  reader.skipKey();
  assert.equal(reader.at, end);
  return back;
}

test('keys of every kind come back as they were', () => {
  const texts = [
    '',
    'a',
    '\0s',
    'x'.repeat(32),
    'x'.repeat(33),
    'x'.repeat(200),
    'ü',
    'ü'.repeat(100),
    '🙂',
    '\ud800',
    'a\udc00b',
  ];
  const numbers = [
    0,
    -0,
    1,
    -1,
    2 ** 31 - 1,
    -(2 ** 31),
    2 ** 31,
    2 ** 32,
    0.1,
    -1e300,
    Number.MIN_VALUE,
    Number.MAX_VALUE,
  ];
  const bigints = [0n, 1n, -1n, 2n ** 64n, -(2n ** 200n)];
  const tuples: Key[] = [
    [],
    [[]],
    ['a', 1, true, 5n],
    [['x', ['\ud800']], -0, false],
    Array.from({ length: 300 }, (_, n) => n),
  ];
  for (const key of [...texts, ...numbers, ...bigints, true, false, ...tuples])
    assert.deepEqual(backAndForth(key), key);
});

test('any key comes back as it was', () => {
  const { key } = fc.letrec<{ key: Key }>((tie) => ({
    key: fc.oneof(
      { maxDepth: 3 },
      fc.string({ unit: 'binary', maxLength: 80 }),
      fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)) }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.integer(),
      fc.bigInt(),
      fc.boolean(),
      fc.array(tie('key'), { maxLength: 4 }),
    ),
  }));
  fc.assert(fc.property(key, (one) => assert.deepEqual(backAndForth(one), one)));
});

test('keys go into blocks of bounded size by key group, and out of them by any range of key groups', () => {
  const blocks: { bytes: Buffer; first: number; last: number }[] = [];
  const writer = new KeyBlocks((bytes, first, last) => blocks.push({ bytes: Buffer.from(bytes), first, last }));
  const keys: SavedKey[] = Array.from({ length: 3000 }, (_, n) => ({
    group: Math.floor(n / 12),
    key: n,
    data: n % 7 === 0 ? undefined : n === 2000 ? Buffer.alloc(300_000, 1) : Buffer.alloc(n % 150, n),
  }));
  for (const key of keys) writer.add(key);
  writer.flush();
  writer.flush();
  assert.equal(writer.keys, 3000);
  assert.ok(blocks.length > 3);
  assert.ok(blocks.every(({ bytes }) => bytes.length <= 64 * 1024 || bytes.length < 301_000));
  assert.equal(blocks.filter(({ bytes }) => bytes.length > 64 * 1024).length, 1);
  const read = (from: number, to: number) => blocks.flatMap(({ bytes }) => [...keysIn(bytes, from, to)]);
  assert.deepEqual(read(0, 256), keys);
  assert.deepEqual(
    read(100, 103),
    keys.filter(({ group }) => group >= 100 && group < 103),
  );
  assert.deepEqual(read(250, 256), []);
  for (const { bytes, first, last } of blocks) {
    const groups = [...keysIn(bytes, 0, 256)].map(({ group }) => group);
    assert.deepEqual([Math.min(...groups), Math.max(...groups)], [first, last]);
  }
});

test('keys that are not in the order of their key groups are refused', () => {
  const writer = new KeyBlocks(() => {});
  writer.add({ group: 5, key: 'a', data: undefined });
  assert.throws(() => writer.add({ group: 4, key: 'b', data: undefined }), /key group 4 was saved after one of 5/);
});

test('outputs come back in order, empty and large ones too', () => {
  const blocks: Buffer[] = [];
  const writer = new EntryBlocks((bytes) => blocks.push(Buffer.from(bytes)));
  const entries = [0, 5, 127, 128, 70_000, 3, 0].map((length, n) => Buffer.alloc(length, n));
  for (const entry of entries) writer.add(entry);
  writer.flush();
  assert.deepEqual(blocks.flatMap(entriesIn), entries);
});
