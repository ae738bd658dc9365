import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wordsOf } from './words.ts';

test('a sentence becomes words in lower case, without punctuation', () => {
  assert.deepEqual(wordsOf('Grain, FLOUR; “cart” (river)!'), ['grain', 'flour', 'cart', 'river']);
});

test('stop words are left out', () => {
  assert.deepEqual(wordsOf('The mill is by the river and it is old'), ['mill', 'river', 'old']);
  assert.deepEqual(wordsOf('it is what it is'), []);
});

test('words of one stem are one word', () => {
  assert.deepEqual(wordsOf('stream streams streaming streamed'), ['stream', 'stream', 'stream', 'stream']);
});

test('an apostrophe belongs to its word, however it is written', () => {
  assert.deepEqual(wordsOf("farmer's farmer’s 'farmer'"), ['farmer', 'farmer', 'farmer']);
});

test('letters of all alphabets are letters', () => {
  assert.deepEqual(wordsOf('Mühle мельница 42'), ['mühle', 'мельница', '42']);
});
