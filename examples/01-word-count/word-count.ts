/**
 * Word count: sentences from a file or a socket, into a topic; from there trimmed, tokenised, rid of stop words, stemmed
 * and counted; the counts into another topic, the top words onto your screen.
 *
 *     npx millrace run word-count.ts
 *     npx millrace run word-count.ts --set source=socket    then, beside it: nc localhost 7777
 */
import { join } from 'node:path';
import { flatMap, topology } from 'millrace';
import { run } from 'millrace/engine';
import { fileLines } from 'millrace/file';
import { socketLines } from 'millrace/socket';
import { topicSink, topicSpout } from 'millrace/topic';
import * as z from 'zod';
import { count, showTopWords, topWords } from './count.ts';
import { sentences, wordCounts } from './topics.ts';
import { wordsOf } from './words.ts';

const Config = z.strictObject({
  source: z.enum(['file', 'socket']).default('file'),
  /** Of the file. */
  path: z.string().default(join(import.meta.dirname, 'sentences.txt')),
  /** Of the socket; 0 for any free one. */
  port: z.int().min(0).max(65_535).default(7777),
});

export default topology('word-count', (t) => {
  const { source, path, port } = t.config(Config);

  const lines = source === 'file' ? t.spout('lines', fileLines(path)) : t.spout('lines', socketLines({ port }));
  t.sink('collect', lines.shuffle(), topicSink(sentences));

  const read = t.spout('sentences', topicSpout(sentences, { group: 'word-count' }));
  const words = t.bolt('words', read.shuffle(), flatMap(wordsOf), { parallelism: 2 });
  const counts = t.bolt(
    'count',
    words.keyBy((word) => word),
    count,
    { parallelism: 2 },
  );
  t.sink('counts', counts.shuffle(), topicSink(wordCounts));

  const top = t.bolt('top', counts.global(), topWords);
  t.sink('show', top.shuffle(), showTopWords);

  return { read, words, counts, top }; // what a test feeds and reads
});

if (import.meta.main) await run(import.meta.url);
