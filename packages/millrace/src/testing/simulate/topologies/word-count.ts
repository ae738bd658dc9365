/** Word count, from a topic into a topic, by keys and in several tasks. */

import { string } from '../../../codec/string.ts';
import { json } from '../../../topic/json.ts';
import { topic } from '../../../topic/topic.ts';
import { topicSink } from '../../../topic/topic-sink.ts';
import { topicSpout } from '../../../topic/topic-spout.ts';
import { bolt, flatMap } from '../../../topology/bolt.ts';
import { type } from '../../../topology/schema.ts';
import { value } from '../../../topology/state-spec.ts';
import { topology } from '../../../topology/topology.ts';
import type { Given, SimulateOptions } from '../options.ts';
import { feed } from '../options.ts';

interface WordCount {
  readonly word: string;
  readonly count: number;
}

const sentences = topic('sentences', { value: string, partitions: 3 });
const counts = topic('counts', { value: json(type<WordCount>()), key: ({ word }) => word, partitions: 2 });

export const wordCount = topology('word-count', (t) => {
  const read = t.spout('sentences', topicSpout(sentences, { group: 'word-count' }), { parallelism: 2 });
  const words = t.bolt(
    'words',
    read.shuffle(),
    flatMap((sentence: string) => sentence.split(' ')),
  );
  const counted = t.bolt(
    'count',
    words.keyBy((word) => word),
    bolt({
      emits: type<WordCount>(),
      state: { count: value(0) },
      prepare: ({ emit, state }) => ({
        execute(word: string) {
          state.count.set(state.count.get() + 1);
          emit({ word, count: state.count.get() });
        },
      }),
    }),
    { parallelism: 2 },
  );
  t.sink('counts', counted.fields('word'), topicSink(counts));
});

export function wordCountOptions(random: () => number): SimulateOptions {
  const word = () => 'abcdefgh'[Math.floor(random() * 8)]!;
  const records: Given<string>[] = Array.from({ length: 120 }, (_, i) => [
    Array.from({ length: 1 + Math.floor(random() * 4) }, word).join(' '),
    i * 40,
  ]);
  return {
    inputs: [feed(sentences, records)],
    outputs: [counts],
    state: ['count'],
    parallelism: { count: [1, 2, 3], words: [1, 2], sentences: [1, 2, 3], counts: [1, 2] },
    expect: (inputs) => {
      const seen = new Map<string, number>();
      const expected = inputs['sentences']!.flatMap(({ value }) =>
        (value as string).split(' ').map((each) => {
          seen.set(each, (seen.get(each) ?? 0) + 1);
          return { word: each, count: seen.get(each)! };
        }),
      );
      return { counts: expected };
    },
  };
}
