import { test } from 'node:test';
import { feed, simulate } from 'millrace/testing';
import { type WordCount, wordCounts } from './topics.ts';
import wordCount from './word-count.ts';
import { wordsOf } from './words.ts';

const lines = ['The mill turns by day,', 'and by night the mill stands.', '', 'Mills, mills, mills!', '12'];
const given = Array.from({ length: 40 }, (_, i): [string, number] => [lines[i % lines.length]!, i * 50]);

// The spout of lines is played. All that comes after it runs as it is: both topics, the counts, the list of the top words.
test('the counts are right whatever happens to the machine', async () => {
  for (let seed = 1; seed <= 5; seed++) {
    await simulate(wordCount, {
      seed,
      inputs: [feed('lines', given)],
      outputs: [wordCounts],
      unordered: ['word_counts'],
      expect: (inputs) => {
        const seen = new Map<string, number>();
        const counts: WordCount[] = [];
        for (const { value } of inputs.lines!) {
          if (value === '12') continue; // a line without a word is in the ledger
          for (const word of wordsOf(value as string)) {
            seen.set(word, (seen.get(word) ?? 0) + 1);
            counts.push({ word, count: seen.get(word)! });
          }
        }
        return { word_counts: counts };
      },
    });
  }
});
