/** The word count that is killed: numbered lines from a file into a topic, or from a topic alone, and each word's count out. */
import { asyncBolt, bolt, flatMap, topology, type, value } from 'millrace';
import { fileLines } from 'millrace/file';
import { json, topic, topicSink, topicSpout } from 'millrace/topic';
import * as z from 'zod';
import { sayAtWork } from './at-work.ts';

export type Line = z.infer<typeof Line>;
const Line = z.object({ n: z.int(), sender: z.string(), text: z.string() });

export type Counted = z.infer<typeof Counted>;
const Counted = z.object({ word: z.string(), count: z.int(), n: z.int(), sender: z.string() });

export const lines = topic('lines', { value: json(Line), key: (line) => line.sender, partitions: 3 });
export const counts = topic('counts', { value: json(Counted), key: (counted) => counted.word, partitions: 3 });

interface Word {
  readonly word: string;
  readonly n: number;
  readonly sender: string;
}

const count = bolt({
  emits: type<Counted>(),
  state: { seen: value(0) },
  prepare: ({ emit, state: { seen } }) => ({
    execute({ word, n, sender }: Word) {
      sayAtWork();
      seen.set(seen.get() + 1);
      emit({ word, count: seen.get(), n, sender });
    },
  }),
});

const Config = z.strictObject({
  /** The lines come from here, by this topology's own hands; without it somebody else sends them to the topic. */
  file: z.string().optional(),
});

export default topology('word-count', (t) => {
  const { file } = t.config(Config);
  if (file !== undefined) {
    const read = t.spout('file', fileLines(file, { follow: true }));
    const parsed = t.bolt('parse', read.shuffle(), (line) => JSON.parse(line) as Line);
    t.sink('collect', parsed.shuffle(), topicSink(lines));
  }
  const taken = t.spout('lines', topicSpout(lines, { group: 'word-count' }), { parallelism: 2 });
  // Waits for a while that differs from line to line, so that a barrier has to wait as well.
  const slow = asyncBolt({
    concurrency: 64,
    execute: async (line: Line) => {
      if (line.n % 7 === 0) await new Promise((resolve) => setTimeout(resolve, line.n % 3));
      return line;
    },
  });
  const looked = t.bolt('look-up', taken.fields('sender'), slow, { parallelism: 2 });
  const words = t.bolt(
    'words',
    looked.fields('sender'),
    flatMap(({ n, sender, text }: Line) => text.split(' ').map((word): Word => ({ word, n, sender }))),
  );
  const counted = t.bolt('count', words.fields('word'), count, { parallelism: 2 });
  t.sink('counts', counted.shuffle(), topicSink(counts));
});
