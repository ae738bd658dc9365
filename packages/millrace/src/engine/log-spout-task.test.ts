import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sink, topology, type } from '../index.ts';
import { memoryLedger } from '../ledger/memory.ts';
import { realRuntime } from '../runtime/real.ts';
import { startVirtual } from '../testing/start-virtual.ts';
import type { Guarantee } from '../topology/receipt.ts';
import type { LogReader, LogTask, Position } from '../topology/spout.ts';
import { logSpout } from '../topology/spout.ts';
import { startTopology } from './start.ts';

type Reads = (task: LogTask<number>, max: number) => boolean;

/** A log of one split whose reads the test writes out, and what was written by a sink behind it. */
function reading(next: Reads, own: Partial<LogReader> = {}) {
  const written: number[] = [];
  const commits: Position[] = [];
  const source = logSpout<number>({
    emits: type<number>(),
    splits: () => ['a'],
    open: (task) => ({
      seek() {},
      pause() {},
      resume() {},
      next: (max) => next(task, max),
      commit: async (positions) => void commits.push(positions.get('a')!),
      ...own,
    }),
  });
  const t = topology('reading', (b) => {
    const write = (values: readonly number[]) => void written.push(...values);
    const s = b.spout('s', source, { onError: { retries: 1, backoff: '1s' } });
    b.sink('out', s.shuffle(), sink<number>({ mode: 'append', batch: { size: 1, every: 0 }, write }));
  });
  return { written, commits, start: (guarantee: Guarantee = 'at-least-once') => startVirtual(t, { guarantee }) };
}

test('a source that has more but gave nothing is asked again', async () => {
  let calls = 0;
  const { written, start } = reading((task) => {
    if (++calls < 5) return true;
    task.emit('a', 0, 1, 7, 0);
    task.end();
    return false;
  });
  const { runtime, running } = await start();
  await runtime.until(running.done);
  assert.deepEqual(written, [7]);
});

test('a wake from within the call that gives nothing is not lost', async () => {
  let calls = 0;
  const { written, start } = reading((task) => {
    if (++calls > 1) {
      task.emit('a', 0, 1, 7, 0);
      task.end();
    } else task.wake();
    return false;
  });
  const { runtime, running } = await start();
  await runtime.until(running.done);
  assert.deepEqual(written, [7]);
});

test('a split that is said to have ended again and again does not keep the loop busy', async () => {
  let calls = 0;
  const { start } = reading((task) => {
    calls++;
    task.endSplit('a');
    return false;
  });
  const { runtime, running } = await start();
  await runtime.until(running.done);
  assert.equal(calls, 1);
});

test('what a source gave before it threw is sent off; at most once only when it is noted', async () => {
  for (const guarantee of ['at-least-once', 'at-most-once'] as const) {
    const notedWhenWritten: number[] = [];
    let calls = 0;
    const { written, commits, start } = reading((task) => {
      if (++calls > 1) {
        task.end();
        return false;
      }
      task.emit('a', 0, 1, 7, 0);
      throw new Error('connection lost');
    });
    const { runtime, running } = await start(guarantee);
    await runtime.settle();
    notedWhenWritten.push(...commits);
    assert.deepEqual(written, [7], guarantee);
    if (guarantee === 'at-most-once') assert.deepEqual(notedWhenWritten, [1]);
    await runtime.until(running.done);
    assert.deepEqual(commits, [1]);
  }
});

test('at most once, a batch is sent off only when its positions are noted', async () => {
  let calls = 0;
  const { written, start } = reading(
    (task) => {
      if (++calls === 1) task.emit('a', 0, 1, 7, 0);
      throw new Error('connection lost');
    },
    { commit: () => new Promise(() => {}) },
  );
  const { runtime } = await start('at-most-once');
  await runtime.advance('10s');
  assert.deepEqual(written, []);
});

test('commits do not overlap: an older one never ends last', async () => {
  const log: string[] = [];
  const records = [1, 2];
  const { start } = reading(
    (task) => {
      const n = records.shift();
      if (n !== undefined) task.emit('a', n - 1, n, n, 0);
      return false;
    },
    {
      commit: async (positions) => {
        const at = positions.get('a')!;
        log.push(`begin ${at}`);
        await new Promise((resolve) => setTimeout(resolve, at === 1 ? 5000 : 1));
        log.push(`end ${at}`);
      },
    },
  );
  const { runtime, running } = await start();
  await runtime.advance('1s');
  assert.deepEqual(log, ['begin 1']);
  await runtime.until(runtime.within(() => running.stop()));
  assert.deepEqual(log, ['begin 1', 'end 1']);
});

test('a commit that fails is how the topology ends, at a stop too, and stop() says so', async () => {
  for (const fails of [() => Promise.reject(new Error('disk full')), throwNow]) {
    for (const guarantee of ['at-least-once', 'at-most-once'] as const) {
      let given = false;
      const { start } = reading(
        (task) => {
          if (!given) task.emit('a', 0, 1, 7, 0);
          given = true;
          return false;
        },
        { commit: fails },
      );
      const { runtime, running } = await start(guarantee);
      await runtime.settle();
      const failed = { code: 'MR_SOURCE', message: "spout 's' cannot go on: disk full" };
      await assert.rejects(runtime.until(runtime.within(() => running.stop())), failed);
      await assert.rejects(running.done, failed);
      assert.equal(running.state, 'failed');
    }
  }
});

function throwNow(): never {
  throw new Error('disk full');
}

test('records that take long let others have a turn within their batch', async () => {
  const real = realRuntime();
  let clock = 0;
  const monotonic = () => clock;
  const records = 100;
  const writtenAtTurns: number[] = [];
  let written = 0;
  const source = logSpout<number>({
    emits: type<number>(),
    splits: () => ['a'],
    open: (task) => ({
      seek() {},
      pause() {},
      resume() {},
      next() {
        for (let i = 0; i < records; i++) task.emit('a', i, i + 1, i, 0);
        task.end();
        return false;
      },
      commit: async () => {},
    }),
  });
  const slow = topology('slow', (t) => {
    const through = t.bolt('slow', t.spout('s', source).shuffle(), (n) => {
      clock += 3;
      if (n === 0) real.timers.soon(() => void writtenAtTurns.push(written));
      return n;
    });
    const write = (values: readonly number[]) => {
      written += values.length;
    };
    t.sink('out', through.shuffle(), sink<number>({ mode: 'append', batch: { size: 1, every: 0 }, write }));
  });
  const running = await startTopology(slow.build(), {
    runtime: { ...real, clock: { ...real.clock, monotonic } },
    ledger: memoryLedger(),
    resources: new Map(),
    guarantee: 'at-least-once',
    freeze: false,
    encodeEdges: false,
    log: () => {},
  });
  await running.done;
  assert.equal(written, records);
  assert.ok(writtenAtTurns[0]! < 5, `${writtenAtTurns[0]} were written before anything else came`);
});
