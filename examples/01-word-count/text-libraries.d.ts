/** What we use of two libraries that come without types. */
declare module 'stopword' {
  /** The words that are not stop words; of English, unless another list is given. */
  export function removeStopwords(words: readonly string[], stopwords?: readonly string[]): string[];
}
declare module 'wink-porter2-stemmer' {
  /** The stem of an English word in lower case: 'streams', 'streaming' → 'stream'. */
  export default function stem(word: string): string;
}
