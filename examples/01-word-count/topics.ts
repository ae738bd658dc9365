/** The two topics: sentences as they came, and the counts. */
import { json, string, topic } from 'millrace/topic';
import * as z from 'zod';

/**
 * A sentence is written as it came and trimmed when it is read. A line that is empty, or has not one letter, is refused
 * there: so the topic holds what was sent, and the ledger says by its offset what could not be used, and why.
 */
export const sentences = topic('sentences', {
  value: {
    encode: string.encode,
    decode(bytes) {
      const sentence = string.decode(bytes).trim();
      if (sentence === '') throw new Error('an empty line');
      if (!/\p{L}/u.test(sentence)) throw new Error('a line without a word');
      return sentence;
    },
  },
});

export type WordCount = z.infer<typeof WordCount>;
export const WordCount = z.object({ word: z.string(), count: z.int().positive() });

/** How often each word has been seen, each time it is. The newest record of a word holds its count. */
export const wordCounts = topic('word_counts', { value: json(WordCount), key: (one) => one.word });
