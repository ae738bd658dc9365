import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Key } from '../topology/key.ts';
import { keysMeant, keyText } from './key-text.ts';

test('any key that was shown can be typed', () => {
  const { key } = fc.letrec<{ key: Key }>((tie) => ({
    key: fc.oneof(
      { maxDepth: 2 },
      fc.string(),
      fc.constantFrom('42', '"a"', 'true', '[1]', '{"bigint":"1"}', ' 7', 'null', ''),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
      fc.bigInt(),
      fc.boolean(),
      fc.array(tie('key'), { maxLength: 3 }),
    ),
  }));
  fc.assert(fc.property(key, (of) => assert.deepEqual(keysMeant(keyText(of))[0], of)));
});

test('text that reads as JSON may be meant as text, and what is no key is text', () => {
  assert.deepEqual(keysMeant('device-1'), ['device-1']);
  assert.deepEqual(keysMeant('42'), [42, '42']);
  assert.deepEqual(keysMeant('["a",{"bigint":"12"}]')[0], ['a', 12n]);
  for (const text of ['null', '{"a":1}', '[null]', '{"bigint":"x"}', '1e999'])
    assert.deepEqual(keysMeant(text), [text], text);
});
