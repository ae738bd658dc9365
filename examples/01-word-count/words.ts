/** From a sentence to the words that count: tokenised, without stop words, stemmed. */
import { removeStopwords } from 'stopword';
import stem from 'wink-porter2-stemmer';

/** Letters and digits in a row; an apostrophe within them belongs to them. */
const WORD = /[\p{L}\p{N}]+(?:'[\p{L}\p{N}]+)*/gu;

export function wordsOf(sentence: string): string[] {
  const words = sentence.toLowerCase().replaceAll('’', "'").match(WORD) ?? [];
  return removeStopwords(words).map((word) => stem(word));
}
