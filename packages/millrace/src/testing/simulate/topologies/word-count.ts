/** Word count: from a topic into a topic, by keys, in several tasks. */
import { bolt, flatMap, topology, type, value } from '../../../index.ts';
import { json, string, topic, topicSink, topicSpout } from '../../../topic.ts';
import { FAULT_KINDS } from '../faults.ts';
import type { Given } from '../options.ts';
import { feed } from '../options.ts';
import type { Scenario } from './scenario.ts';
import { oneOf } from './scenario.ts';

interface WordCount {
  readonly word: string;
  readonly count: number;
}

const sentences = topic('sentences', { value: string, partitions: 3 });
const counts = topic('counts', { value: json(type<WordCount>()), key: ({ word }) => word, partitions: 2 });

const counting = bolt({
  emits: type<WordCount>(),
  state: { count: value(0) },
  prepare: ({ emit, state }) => ({
    execute(word: string) {
      state.count.set(state.count.get() + 1);
      emit({ word, count: state.count.get() });
    },
  }),
});

const definition = topology('word-count', (t) => {
  const read = t.spout('sentences', topicSpout(sentences, { group: 'word-count' }), { parallelism: 2 });
  const words = t.bolt(
    'words',
    read.shuffle(),
    flatMap((sentence: string) => sentence.split(' ')),
  );
  const counted = t.bolt(
    'count',
    words.keyBy((word) => word),
    counting,
    { parallelism: 2 },
  );
  t.sink('counts', counted.fields('word'), topicSink(counts));
});

const wordsOf = (value: unknown) => (value as string).split(' ');

export const wordCount: Scenario = {
  topology: definition,
  options(random) {
    const words = 'abcdefgh'.split('');
    const sentence = () => Array.from({ length: 1 + Math.floor(random() * 4) }, () => oneOf(random, words)).join(' ');
    const records = Array.from({ length: 100 }, (_, i): Given<string> => [sentence(), i * 30]);
    return {
      inputs: [feed(sentences, records)],
      outputs: [counts],
      parallelism: { count: [1, 2, 3], words: [1, 2], sentences: [1, 2, 3], counts: [1, 2] },
      faults: FAULT_KINDS.filter((kind) => kind !== 'drain'),
      expect(inputs) {
        const seen = new Map<string, number>();
        const expected = inputs.sentences!.flatMap(({ value }) =>
          wordsOf(value).map((word) => {
            seen.set(word, (seen.get(word) ?? 0) + 1);
            return { word, count: seen.get(word)! };
          }),
        );
        return { counts: expected };
      },
    };
  },
};
