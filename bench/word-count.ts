/**
 * Word count, generator to nowhere, through the engine against a bare loop that does the same work, in one run. The
 * loop splits each sentence, counts each word in a Map, and that is all: what remains is what the engine costs. The engine
 * counts in a Map of the bolt's own, or in keyed state, which checkpoints on disk then hold.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bolt, flatMap, logSpout, topology, type, value } from 'millrace';
import type { Guarantee } from '../packages/millrace/src/topology/receipt.ts';
import type { Bench, Row } from './bench.ts';
import { median } from './bench.ts';
import { startCheckpointed } from './checkpointed.ts';

const SENTENCES = 1_000_000;
const ROUNDS = 5;
const WORDS =
  'the mill race leads a stream of water to the wheel and the wheel turns stones that grind grain into flour'.split(
    ' ',
  );
/** 1000 sentences of ten words, over some 2000 different words. */
const sentences = Array.from({ length: 1000 }, (_, s) =>
  Array.from({ length: 10 }, (_, w) => `${WORDS[(s * 7 + w * 3) % WORDS.length]}${(s * w) % 100}`).join(' '),
);

function bareLoop(): number {
  const counts = new Map<string, number>();
  const started = performance.now();
  for (let i = 0; i < SENTENCES; i++) {
    for (const word of sentences[i % sentences.length]!.split(' ')) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const elapsed = performance.now() - started;
  check(counts);
  return elapsed;
}

function check(counts: ReadonlyMap<string, number>): void {
  let total = 0;
  for (const count of counts.values()) total += count;
  if (total !== SENTENCES * 10) throw new Error(`counted ${total} words, not ${SENTENCES * 10}`);
}

interface Way {
  readonly name: string;
  readonly guarantee: Guarantee | undefined;
  readonly counts: 'in a Map' | 'in state';
  /** Of checkpoints, in milliseconds. */
  readonly interval?: number;
  readonly budget?: number;
}

/** Nothing goes out, so that at-least-once with state and exactly-once are one thing: both make checkpoints. */
const WAYS: readonly Way[] = [
  { name: 'at-most-once', guarantee: 'at-most-once', counts: 'in a Map', budget: 0.7 },
  { name: 'at-least-once (acking)', guarantee: 'at-least-once', counts: 'in a Map', budget: 0.6 },
  { name: 'keyed state, at-most-once', guarantee: 'at-most-once', counts: 'in state' },
  { name: 'keyed state, exactly-once at 100 ms', guarantee: undefined, counts: 'in state', interval: 100, budget: 0.5 },
  { name: 'keyed state, exactly-once at 1 s', guarantee: undefined, counts: 'in state', interval: 1000, budget: 0.6 },
];

const generator = logSpout({
  emits: type<string>(),
  splits: () => ['sentences'],
  open: (task) => {
    let at = 0;
    return {
      seek() {},
      pause() {},
      resume() {},
      async commit() {},
      next(max) {
        const until = Math.min(SENTENCES, at + max);
        for (; at < until; at++) task.emit('sentences', at, at + 1, sentences[at % sentences.length]!, at);
        if (at === SENTENCES) task.endSplit('sentences');
        return at < SENTENCES;
      },
    };
  },
});

function countingInMap(counts: Map<string, number>) {
  return bolt({
    prepare: () => ({
      execute(word: string) {
        counts.set(word, (counts.get(word) ?? 0) + 1);
      },
    }),
  });
}

/** `total` is told at the end, to check what was counted. */
function countingInState(total: (words: number) => void) {
  let counted = 0;
  return bolt({
    state: { count: value(0) },
    prepare: ({ state }) => ({
      execute(_: string) {
        state.count.set(state.count.get() + 1);
        counted++;
      },
      cleanup: () => total(counted),
    }),
  });
}

/** From the start to the end, the last checkpoint included. */
async function throughEngine({ guarantee, counts: where, interval }: Way): Promise<number> {
  const counts = new Map<string, number>();
  const count = where === 'in a Map' ? countingInMap(counts) : countingInState((all) => void counts.set('all', all));
  const wordCount = topology('word-count', (t) => {
    const lines = t.spout('sentences', generator);
    const words = t.bolt(
      'split',
      lines.shuffle(),
      flatMap((line) => line.split(' ')),
    );
    t.bolt(
      'count',
      words.keyBy((word) => word),
      count,
    );
  });
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  try {
    const started = performance.now();
    const running = await startCheckpointed(wordCount, {
      folder,
      ...(guarantee === undefined ? {} : { guarantee }),
      ...(interval === undefined ? {} : { interval }),
    });
    await running.done;
    const elapsed = performance.now() - started;
    check(counts);
    return elapsed;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function run(): Promise<readonly Row[]> {
  const bare: number[] = [];
  const times = new Map(WAYS.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round <= ROUNDS; round++) {
    const loop = bareLoop();
    if (round > 0) bare.push(loop); // the first one warms up
    for (const way of WAYS) {
      const elapsed = await throughEngine(way);
      if (round > 0) times.get(way.name)!.push(elapsed);
    }
  }
  const rate = (ms: readonly number[]) => (SENTENCES * 10) / median(ms) / 1000;
  /** Round by round, so that a machine that grows slower in between counts for both. */
  const ratio = (ms: readonly number[]) => median(ms.map((one, round) => bare[round]! / one));
  return [
    { what: 'bare loop', value: rate(bare), unit: 'M words/s' },
    ...WAYS.flatMap(({ name, budget }) => [
      { what: `engine, ${name}`, value: rate(times.get(name)!), unit: 'M words/s' },
      {
        what: `engine ÷ bare loop, ${name}`,
        value: ratio(times.get(name)!),
        unit: 'ratio',
        ...(budget === undefined ? {} : { note: `budget ≥ ${budget}` }),
      },
    ]),
  ];
}

export const wordCountBench: Bench = {
  name: 'word-count',
  summary: 'word count through the engine, with and without checkpoints, against a bare loop',
  run,
};
