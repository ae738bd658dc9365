import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytes } from './bytes.ts';
import { string } from './string.ts';

test('text comes back as it went in, byte order mark included', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => assert.equal(string.decode(string.encode(text)), text)),
  );
  assert.equal(string.decode(string.encode('\ufeffa')), '\ufeffa');
});

test('half a surrogate pair is refused', () => {
  assert.throws(() => string.encode('ab\ud800c'), { code: 'MR_ENCODE', message: /surrogate pair, at character 2/ });
});

test('bytes that are no UTF-8 are refused at their offset', () => {
  const at = (invalid: number[]) => Number(/byte (\d+) is invalid/.exec(refusal(Uint8Array.from(invalid)))?.[1]);
  assert.equal(at([0x61, 0xff, 0x61, 0x61]), 1);
  assert.equal(at([0x61, 0x62, 0xe2, 0x82]), 4);
  assert.equal(at([0x61, 0xe2, 0x82, 0x61, 0x61]), 3);
  assert.equal(at([0xc0, 0x80]), 0);
});

test('a value that is no text, or no bytes, is refused', () => {
  assert.throws(() => string.encode(null as never), { code: 'MR_ENCODE', message: /null/ });
  assert.throws(() => string.encode(5 as never), { code: 'MR_ENCODE', message: /type number/ });
  assert.throws(() => bytes.encode('a' as never), { code: 'MR_ENCODE', message: /type string/ });
  assert.equal(bytes.decode(bytes.encode(Uint8Array.of(1, 2))).byteLength, 2);
});

function refusal(invalid: Uint8Array): string {
  try {
    return `not refused: ${string.decode(invalid)}`;
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'MR_DECODE');
    return (error as Error).message;
  }
}
