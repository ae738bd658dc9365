/** The word count: each word counted up by ones, each sender's lines in their order. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Counted, Line } from './jobs/word-count.ts';
import { counts, lines } from './jobs/word-count.ts';
import type { Expected, Scenario } from './scenario.ts';
import { scrambled } from './scenario.ts';

const SENDERS = 7;
const WORDS_PER_LINE = 6;

/** Of so many different words. */
function lineOf(n: number, words: number): Line {
  const word = (w: number) => `word-${scrambled(n * WORDS_PER_LINE + w) % words}`;
  const text = Array.from({ length: WORDS_PER_LINE }, (_, w) => word(w)).join(' ');
  return { n, sender: `sender-${n % SENDERS}`, text };
}

function model(count: number, words: number): Expected {
  /** By word and sender, the numbers of the lines. */
  const expected = new Map<string, number[]>();
  const totals = new Map<string, number>();
  for (let n = 0; n < count; n++) {
    const { sender, text } = lineOf(n, words);
    for (const word of text.split(' ')) {
      const key = `${word} of ${sender}`;
      const found = expected.get(key);
      if (found) found.push(n);
      else expected.set(key, [n]);
      totals.set(word, (totals.get(word) ?? 0) + 1);
    }
  }
  return {
    size: count * WORDS_PER_LINE,
    missing: (outputs) => Math.max(0, count * WORDS_PER_LINE - outputs.topic(counts.name).length),
    check(outputs) {
      const all = outputs.topic(counts.name) as readonly Counted[];
      const found = Map.groupBy(all, ({ word, sender }) => `${word} of ${sender}`);
      const seen = new Map<string, number>();
      for (const { word, count: told, n } of all) {
        const before = seen.get(word) ?? 0;
        assert.equal(told, before + 1, `'${word}' is counted ${told} in line ${n}, after ${before}`);
        seen.set(word, told);
      }
      for (const [key, numbers] of expected)
        assert.deepEqual(
          found.get(key)?.map(({ n }) => n),
          numbers,
          `the lines of ${key}`,
        );
      assert.deepEqual(seen, totals);
    },
  };
}

const counting = (name: string, words: number): Scenario => ({
  name,
  module: join(import.meta.dirname, 'jobs', 'word-count.ts'),
  input: {
    topic: lines.name,
    partitions: lines.partitions ?? 1,
    key: (line) => (JSON.parse(line) as Line).sender,
  },
  topics: [counts.name],
  config: () => ({}),
  line: (n) => JSON.stringify(lineOf(n, words)),
  closing: () => [],
  expect: async (count) => model(count, words),
});

export const wordCount = counting('word count', 700);
/** So much state that a start has not restored all of it when it goes on, or is killed. */
export const manyWords = counting('many words', 200_000);
