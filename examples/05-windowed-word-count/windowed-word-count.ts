/**
 * Word count in windows: lines from a socket; of each ten seconds, the words that came most often.
 *
 *     npx millrace run windowed-word-count.ts      then, beside it: nc localhost 7778
 */
import { count, flatMap, sink, topK, topology, tumbling, windowed } from 'millrace';
import { run, screen } from 'millrace/engine';
import { socketLines } from 'millrace/socket';
import * as z from 'zod';
import { wordsOf } from '../01-word-count/words.ts';

const Config = z.strictObject({
  /** Of the socket; 0 for any free one. */
  port: z.int().min(0).max(65_535).default(7778),
  /** Of the windows, seconds. */
  seconds: z.int().positive().default(10),
});

const show = sink<string>({
  mode: 'append',
  batch: { size: 10, every: '20ms' },
  open: (task) => ({ write: (lines) => lines.forEach((line) => void task.use(screen).log(line)) }),
});

export default topology('windowed-word-count', (t) => {
  const { port, seconds } = t.config(Config);
  const window = tumbling(seconds * 1000);

  // A line's time is when it comes, and time goes on while nobody writes: so windows close by themselves.
  const lines = t.spout('lines', socketLines({ port }), { time: 'ingestion' });
  const words = t.bolt('words', lines.shuffle(), flatMap(wordsOf));

  const counts = t.bolt(
    'count',
    words.keyBy((word) => word),
    windowed(window, { count: count() }),
    { parallelism: 2 },
  );
  // A result has the time of its window's last millisecond, so a window of results is a window of the words.
  const top = t.bolt('top', counts.global(), windowed(window, { words: topK(5, (word) => word.count) }));
  const text = t.bolt('text', top.shuffle(), ({ start, end, words }) => {
    const clock = (ms: number) => new Date(ms).toISOString().slice(11, 19);
    return `${clock(start)}–${clock(end)}  ${words.map(({ key, count }) => `${key} ${count}`).join('  ')}`;
  });
  t.sink('show', text.shuffle(), show);

  return { lines, words, counts, text }; // what a test feeds and reads
});

if (import.meta.main) await run(import.meta.url);
