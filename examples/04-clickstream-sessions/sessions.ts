/**
 * Clickstream sessions: a visit lasts as long as a visitor clicks again within half an hour. A day of clicks goes through
 * in a moment, and its visits come out as lines of JSON.
 *
 *     npx millrace run sessions.ts
 */
import { collect, count, first, generatorSpout, last, session, sink, topology, windowed } from 'millrace';
import { run } from 'millrace/engine';
import * as z from 'zod';
import { clicks } from './clicks.ts';

const Config = z.strictObject({
  /** Of the visitors. */
  seed: z.int().default(1),
});

export interface Visit {
  readonly visitor: string;
  readonly from: string;
  /** Seconds between the first click and the last. */
  readonly seconds: number;
  readonly clicks: number;
  readonly path: readonly string[];
  readonly bought: boolean;
}

const printLines = sink<Visit>({
  mode: 'append',
  batch: { size: 100, every: '20ms' },
  write: (lines) => void process.stdout.write(lines.map((line) => `${JSON.stringify(line)}\n`).join('')),
});

export default topology('sessions', (t) => {
  const { seed } = t.config(Config);
  const start = Date.UTC(2026, 0, 1);

  // Clicks come up to a minute late: a visit is over when half an hour and that minute have passed without another one.
  const clicked = t.spout(
    'clicks',
    generatorSpout(() => clicks(seed, start)),
    { time: { from: (click) => click.at, outOfOrder: '1m' } },
  );
  const sessions = t.bolt(
    'sessions',
    clicked.fields('visitor'),
    windowed(session('30m'), {
      clicks: count(),
      path: collect((click) => click.page),
      begun: first((click) => click.at),
      ended: last((click) => click.at),
    }),
    { parallelism: 2 },
  );
  const visit = t.bolt('visit', sessions.shuffle(), ({ key, clicks, path, begun, ended }): Visit => {
    const from = new Date(begun).toISOString();
    return { visitor: key, from, seconds: (ended - begun) / 1000, clicks, path, bought: path.includes('/checkout') };
  });
  t.sink('print', visit.shuffle(), printLines);

  return { clicked, visit }; // what a test feeds and reads
});

if (import.meta.main) await run(import.meta.url);
