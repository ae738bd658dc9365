/**
 * What checkpoints cost a topology with a million live keys: generator → count per key (one value of state) → nowhere, as fast
 * as it goes, every key as often as every other. So at a second's interval nearly every key has changed: it is the worst case.
 * And how long the flow stands still for them at most: the longest turn of the event loop.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { bolt, logSpout, topology, type, value } from 'millrace';
import type { Bench, Row } from './bench.ts';
import { startCheckpointed } from './checkpointed.ts';

const KEYS = 1_000_000;
/** Coprime with KEYS. */
const STRIDE = 7919;
const names = Array.from({ length: KEYS }, (_, n) => `customer-${n}`);

interface Case {
  readonly what: string;
  /** Between checkpoints, milliseconds. */
  readonly interval?: number;
  /** For how long it is measured, seconds: whole intervals. */
  readonly seconds: number;
}

const CASES: readonly Case[] = [
  { what: 'none', seconds: 20 },
  { what: 'every 60 s', interval: 60_000, seconds: 120 },
  { what: 'every 10 s', interval: 10_000, seconds: 40 },
  { what: 'every 1 s', interval: 1000, seconds: 20 },
  { what: 'none, again', seconds: 20 },
];

/** Gives the keys in turn, without end. */
const customers = logSpout({
  emits: type<string>(),
  splits: () => ['customers'],
  open: (task) => {
    let at = 0;
    return {
      seek() {},
      pause() {},
      resume() {},
      async commit() {},
      next(max) {
        for (const until = at + max; at < until; at++)
          task.emit('customers', at, at + 1, names[(at * STRIDE) % KEYS]!, at);
        return true;
      },
    };
  },
});

interface Measured {
  /** Events per second, and per second of the processor: all threads of the process. */
  readonly rate: number;
  readonly perProcessorSecond: number;
  /** Milliseconds. */
  readonly longestTurn: number;
  readonly checkpoints: number;
  /** Median, milliseconds. */
  readonly took: number;
  readonly megabytes: number;
}

async function measure({ interval, seconds }: Case): Promise<Measured> {
  let counted = 0;
  const count = bolt({
    state: { count: value(0) },
    prepare: ({ state }) => ({
      execute(_: string) {
        state.count.set(state.count.get() + 1);
        counted++;
      },
    }),
  });
  const counting = topology('million-keys', (t) => {
    t.bolt(
      'count',
      t.spout('customers', customers).keyBy((name) => name),
      count,
    );
  });
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  const running = await startCheckpointed(counting, {
    folder,
    ...(interval === undefined ? { guarantee: 'at-most-once' as const } : { interval }),
  });
  try {
    while (counted < 2 * KEYS) await pause(50);
    if (interval !== undefined) await running.checkpoint();
    const turns = monitorEventLoopDelay({ resolution: 1 });
    turns.enable();
    const [before, started, made] = [counted, performance.now(), running.checkpoints()?.completed ?? 0];
    const processor = process.cpuUsage();
    await pause(seconds * 1000);
    const { user, system } = process.cpuUsage(processor);
    const status = running.checkpoints();
    return {
      rate: (counted - before) / ((performance.now() - started) / 1000),
      perProcessorSecond: (counted - before) / ((user + system) / 1e6),
      longestTurn: turns.max / 1e6,
      checkpoints: (status?.completed ?? 0) - made,
      took: status?.last?.took ?? 0,
      megabytes: (status?.last?.bytes ?? 0) / 1e6,
    };
  } finally {
    await running.kill();
    rmSync(folder, { recursive: true });
  }
}

async function run(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  let none: number | undefined;
  for (const one of CASES) {
    const { rate, perProcessorSecond, longestTurn, checkpoints, took, megabytes } = await measure(one);
    none ??= perProcessorSecond;
    const last = `${checkpoints} made, the last one ${megabytes.toFixed(0)} MB in ${took.toFixed(0)} ms`;
    rows.push(
      {
        what: `checkpoints ${one.what}`,
        value: rate / 1e6,
        unit: 'M events/s',
        ...(one.interval === undefined ? {} : { note: last }),
      },
      {
        what: `checkpoints ${one.what} ÷ none`,
        value: perProcessorSecond / none,
        unit: 'ratio',
        note: 'events per second of the processor',
      },
      { what: `checkpoints ${one.what}: longest turn`, value: longestTurn, unit: 'ms' },
    );
  }
  return rows;
}

export const millionKeysBench: Bench = {
  name: 'million-keys',
  summary: 'what checkpoints each 1, 10 and 60 s cost a topology with a million live keys',
  run,
};
