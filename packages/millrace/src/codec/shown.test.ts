import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shown } from './shown.ts';

test('a value is shown in one line, also a long array and what is nested', () => {
  assert.equal(shown(Array.from({ length: 12 }, (_, i) => i)), '[ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 ]');
  assert.equal(shown({ a: { b: { c: [1, { d: 'x' }] } } }), '{ a: { b: { c: [ 1, [Object] ] } } }');
  assert.equal(shown('two\nlines'), "'two\\nlines'");
});

test('what is long is cut at 200 characters', () => {
  const text = shown(Array.from({ length: 1000 }, (_, i) => i));
  assert.equal(text.length, 200);
  assert.ok(text.endsWith('…'));
});
