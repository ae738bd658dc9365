/** Counting: one bolt per word, one for the most frequent ones, and how these are shown. */
import { bolt, sink, type, value } from 'millrace';
import { screen } from 'millrace/engine';
import { WordCount } from './topics.ts';

/** Counts its words: the stream is grouped by word, and so is the state. */
export const count = bolt({
  emits: WordCount,
  state: { seen: value(0) },
  prepare: ({ emit, state: { seen } }) => ({
    execute(word: string) {
      seen.set(seen.get() + 1);
      emit({ word, count: seen.get() });
    },
  }),
});

export interface TopWords {
  /** All words that were counted. */
  readonly total: number;
  /** The ten most frequent ones; among equals, by the alphabet. */
  readonly top: readonly WordCount[];
}

/** Once a second the ten most frequent words, if they are others than a second ago. Counts only grow, so ten are enough to keep. */
export const topWords = bolt({
  emits: type<TopWords>(),
  state: { top: value<readonly WordCount[]>([]), total: value(0), shown: value(0) },
  tick: '1s',
  prepare: ({ emit, state: { top, total, shown } }) => ({
    execute(counted: WordCount) {
      total.set(total.get() + 1);
      const others = top.get().filter((one) => one.word !== counted.word);
      top.set([...others, counted].sort(byRank).slice(0, 10));
    },
    tick() {
      if (total.get() === shown.get()) return;
      shown.set(total.get());
      emit({ total: total.get(), top: top.get() });
    },
  }),
});

function byRank(a: WordCount, b: WordCount): number {
  return b.count - a.count || (a.word < b.word ? -1 : 1);
}

/** The newest list: repainted in place on a terminal, one after the other in a pipe. */
export const showTopWords = sink<TopWords>({
  mode: 'append',
  batch: { size: 10, every: '20ms' },
  open(task) {
    const own = task.use(screen);
    return {
      write(lists) {
        for (const lines of lists.map(topLines)) {
          if (own.live) own.set('top', lines);
          else lines.forEach((line) => void own.log(line));
        }
      },
    };
  },
});

export function topLines({ total, top }: TopWords): string[] {
  const most = top[0]?.count ?? 1;
  return [
    `Top words of ${total}`,
    ...top.map(({ word, count }, at) => {
      const bar = '█'.repeat(Math.round((30 * count) / most));
      return `${String(at + 1).padStart(4)}. ${word.padEnd(14)} ${String(count).padStart(6)}  ${bar}`;
    }),
  ];
}
