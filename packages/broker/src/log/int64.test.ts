import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readInt64, writeInt64 } from './int64.ts';

test('numbers up to 2^53 are exact, and what any client may send can be written again', () => {
  const written = (value: number) => {
    const bytes = Buffer.alloc(8);
    writeInt64(bytes, value, 0);
    return bytes;
  };
  for (const value of [0, 1, -1, 2 ** 32, -(2 ** 32) - 1, 2 ** 53 - 1, 1 - 2 ** 53]) {
    assert.equal(written(value).readBigInt64BE(), BigInt(value));
    assert.equal(readInt64(written(value), 0), value);
  }
  for (const value of [2n ** 63n - 1n, -(2n ** 63n)]) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(value);
    assert.equal(written(readInt64(bytes, 0)).readBigInt64BE(), value);
  }
  assert.equal(written(2 ** 63 + 5e12).readBigInt64BE(), 2n ** 63n - 1n);
});
