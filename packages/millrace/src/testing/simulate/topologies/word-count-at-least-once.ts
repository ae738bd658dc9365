/** The word count with less asked of it: it publishes at once, and nothing is lost or invented. */
import type { Scenario } from './scenario.ts';
import { wordCount } from './word-count.ts';

export const wordCountAtLeastOnce: Scenario = {
  topology: wordCount.topology,
  options: (random) => ({ ...wordCount.options(random), guarantee: 'at-least-once' }),
};
