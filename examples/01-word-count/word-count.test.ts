import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { testRun, torture } from 'millrace/testing';
import { count, type TopWords, topLines, topWords } from './count.ts';
import { sentences, type WordCount } from './topics.ts';
import wordCount from './word-count.ts';

const textOf = (name: string) => readFileSync(join(import.meta.dirname, name), 'utf8');

/** What the topic's spout would give for these lines, and what it would refuse. */
function decoded(lines: readonly string[]) {
  const good: string[] = [];
  const refused: string[] = [];
  for (const line of lines) {
    try {
      good.push(sentences.value.decode(sentences.value.encode(line)));
    } catch (error) {
      refused.push((error as Error).message);
    }
  }
  return { good, refused };
}

for (const encodeEdges of [false, true]) {
  test(`sentences.txt shows what expected-output.txt says (edges encoded: ${encodeEdges})`, async () => {
    const run = testRun(wordCount, { encodeEdges });
    for (const sentence of decoded(textOf('sentences.txt').trimEnd().split('\n')).good) run.feed('read', sentence);
    await run.advance('1s');
    const shown = run.read('top').flatMap(topLines);
    assert.equal(`${shown.join('\n')}\n`, textOf('expected-output.txt'));
  });
}

test('each time a word is seen its count goes to the topic of counts', async () => {
  const run = testRun(wordCount);
  run.feed('read', 'mill stream mill');
  run.feed('read', 'mills');
  await run.settle();
  const expected = [
    { word: 'mill', count: 1 },
    { word: 'stream', count: 1 },
    { word: 'mill', count: 2 },
    { word: 'mill', count: 3 },
  ];
  assert.deepEqual(run.read('counts'), expected);
  assert.deepEqual(run.written('counts'), expected);
});

test('a list of ten, most frequent first, by the alphabet among equals; again only when something was counted', async () => {
  const run = testRun(wordCount);
  for (const word of 'kiwi lime apple banana cherry damson elder fig grape hazel juniper'.split(' '))
    run.feed('read', word);
  run.feed('read', 'kiwi');
  await run.advance('3s');
  const [list, ...more] = run.read('top');
  assert.equal(more.length, 0);
  assert.equal(list?.total, 12);
  const words = list?.top.map((one) => one.word);
  assert.deepEqual(words, 'kiwi appl banana cherri damson elder fig grape hazel junip'.split(' '));
  run.feed('read', 'lime lime');
  await run.advance('1s');
  assert.deepEqual(
    run.read('top').map((one) => one.top[0]),
    [{ word: 'lime', count: 3 }],
  );
});

test('a sentence is trimmed; a line that is empty or without a word is refused with the reason', () => {
  const { good, refused } = decoded([' one \r', '', ' \t', '*** 1 2 3 ***']);
  assert.deepEqual(good, ['one']);
  assert.deepEqual(refused, ['an empty line', 'an empty line', 'a line without a word']);
});

test('a source that there is not is refused', () => {
  assert.throws(() => wordCount.build({ source: 'pipe' }), { code: 'MR_SCHEMA', message: /source/ });
});

test('the counts do not depend on restarts, retries, or how words come together', async () => {
  const words = [...'abacabadabacaba'].map((word, i) => [word, i] as const);
  const { came } = await torture(count, { key: (word) => word, inputs: words });
  const counts = came.map(({ value, time }) => [value as WordCount, time] as const);
  assert.deepEqual(counts.at(-1)?.[0], { word: 'a', count: 8 });
  const inputs = [...counts.slice(0, 5), { advance: '1s' }, ...counts.slice(5), { advance: '2s' }] as const;
  const lists = await torture(topWords, { key: 'global', inputs });
  assert.deepEqual(
    lists.came.map(({ value }) => (value as TopWords).total),
    [5, 15],
  );
});
