/**
 * Word count, generator to nowhere, through the engine against a bare loop that does the same work, in one run. The
 * loop splits each sentence, counts each word in a Map, and that is all: what remains is what the engine costs.
 */
import { bolt, flatMap, logSpout, topology, type } from 'millrace';
import type { Guarantee } from '../packages/millrace/src/topology/receipt.ts';
import { startTopology } from '../packages/millrace/src/engine/start.ts';
import { memoryLedger } from '../packages/millrace/src/ledger/memory.ts';
import { realRuntime } from '../packages/millrace/src/runtime/real.ts';
import type { Bench, Row } from './bench.ts';
import { median } from './bench.ts';

const SENTENCES = 300_000;
const ROUNDS = 7;
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

async function throughEngine(guarantee: Guarantee): Promise<number> {
  const counts = new Map<string, number>();
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
  const count = bolt({
    prepare: () => ({
      execute(word: string) {
        counts.set(word, (counts.get(word) ?? 0) + 1);
      },
    }),
  });
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
  const started = performance.now();
  const running = await startTopology(wordCount.build(), {
    runtime: realRuntime(),
    ledger: memoryLedger(),
    resources: new Map(),
    guarantee,
    freeze: false,
    encodeEdges: false,
    log: () => {},
  });
  await running.done;
  const elapsed = performance.now() - started;
  check(counts);
  return elapsed;
}

const WAYS = ['at-most-once', 'at-least-once'] as const;

async function run(): Promise<readonly Row[]> {
  const times: { [way: string]: number[] } = { bare: [], 'at-most-once': [], 'at-least-once': [] };
  for (let round = 0; round <= ROUNDS; round++) {
    const bare = bareLoop();
    const engine = [await throughEngine(WAYS[0]), await throughEngine(WAYS[1])];
    if (round === 0) continue; // warms up
    times.bare!.push(bare);
    WAYS.forEach((way, i) => void times[way]!.push(engine[i]!));
  }
  const rate = (way: string) => (SENTENCES * 10) / median(times[way]!) / 1000;
  /** Round by round, so that a machine that grows slower in between counts for both. */
  const ratio = (way: string) => median(times[way]!.map((ms, round) => times.bare![round]! / ms));
  return [
    { what: 'bare loop', value: rate('bare'), unit: 'M words/s' },
    ...WAYS.flatMap((way) => [
      { what: `engine, ${way}`, value: rate(way), unit: 'M words/s' },
      { what: `engine ÷ bare loop, ${way}`, value: ratio(way), unit: 'ratio' },
    ]),
  ];
}

export const wordCountBench: Bench = {
  name: 'word-count',
  summary: 'word count through the engine against a bare loop (design budget: ≥ 0.7 at-most-once, ≥ 0.6 acking)',
  run,
};
