import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AsyncOrder } from '../index.ts';
import { asyncBolt, topology, type } from '../index.ts';
import { ArraySource, startVirtual } from '../testing/start-virtual.ts';
import { Table, World } from './checkpoints/pipeline.fixture.ts';

interface Job {
  key: string;
  n: number;
  /** Virtual milliseconds that the call takes. */
  ms: number;
}
const job = (key: string, n: number, ms: number): Job => ({ key, n, ms });

/** Runs the jobs through one asynchronous bolt; gives back the results in their order and how many ran at most at once. */
async function runJobs(jobs: readonly Job[], order: AsyncOrder, concurrency: number) {
  let running = 0;
  let most = 0;
  const busyKeys = new Set<string>();
  let sameKeyTogether = 0;
  const results: number[] = [];
  const source = new ArraySource(type<Job>(), { a: jobs });
  const work = asyncBolt({
    concurrency,
    order,
    execute: async (j: Job) => {
      most = Math.max(most, ++running);
      if (busyKeys.has(j.key)) sameKeyTogether++;
      busyKeys.add(j.key);
      await new Promise((resolve) => setTimeout(resolve, j.ms));
      busyKeys.delete(j.key);
      running--;
      return j.n;
    },
  });
  const t = topology('jobs', (b) => {
    const raw = b.spout('s', source.spout);
    b.bolt('note', b.bolt('work', raw.fields('key'), work).shuffle(), (n) => void results.push(n));
  });
  const { runtime, running: topologyRunning } = await startVirtual(t);
  await runtime.until(topologyRunning.done);
  assert.equal(source.committed.get('a'), jobs.length);
  return { results, most, sameKeyTogether };
}

const jobs = [job('a', 1, 50), job('b', 2, 10), job('a', 3, 5), job('c', 4, 30), job('b', 5, 1)];

test('ordered gives results on in the order of the inputs, at most `concurrency` at once', async () => {
  const { results, most } = await runJobs(jobs, 'ordered', 3);
  assert.deepEqual(results, [1, 2, 3, 4, 5]);
  assert.equal(most, 3);
});

test('perKey keeps the order within a key, one call of a key at a time', async () => {
  const { results, sameKeyTogether } = await runJobs(jobs, 'perKey', 4);
  assert.equal(sameKeyTogether, 0);
  assert.ok(results.indexOf(1) < results.indexOf(3));
  assert.ok(results.indexOf(2) < results.indexOf(5));
  assert.deepEqual(results, [2, 5, 4, 1, 3], 'and other keys pass');
});

test('unordered gives on what is ready', async () => {
  const { results } = await runJobs(jobs, 'unordered', 5);
  assert.deepEqual(results, [5, 3, 2, 4, 1]);
});

test('a source waits while the queue in front of an asynchronous bolt is full (law 9)', async () => {
  const source = new ArraySource(type<number>(), { a: Array.from({ length: 5000 }, (_, i) => i) });
  const release: (() => void)[] = [];
  const t = topology('slow', (b) => {
    const stuck = asyncBolt({ concurrency: 4, execute: () => new Promise<void>((resolve) => release.push(resolve)) });
    b.bolt('stuck', b.spout('s', source.spout, { maxPending: 100_000 }).shuffle(), stuck, { queue: 100 });
  });
  const { runtime, running } = await startVirtual(t);
  await runtime.advance('1m');
  const { queued } = running.metrics().components[1]!;
  assert.equal(queued, 104);
  assert.ok(source.taken <= 104 + 256, `${source.taken} records were taken`);
  while (running.state !== 'completed') {
    for (const go of release.splice(0)) go();
    await runtime.settle();
    await runtime.advance(1);
  }
  await runtime.until(running.done);
  assert.equal(source.committed.get('a'), 5000);
});

test('a call beyond its time-out is aborted, retried, and in the end given to the ledger', async () => {
  const aborted: unknown[] = [];
  const source = new ArraySource(type<number>(), { a: [1, 2] });
  const results: number[] = [];
  const t = topology('late', (b) => {
    const work = asyncBolt({
      concurrency: 2,
      timeout: '2s',
      execute: (n: number, { signal }) => {
        signal.addEventListener('abort', () => aborted.push(n));
        return n === 1 ? new Promise<number>(() => {}) : Promise.resolve(n);
      },
    });
    const out = b.bolt('work', b.spout('s', source.spout).shuffle(), work, { onError: { retries: 1, backoff: '1s' } });
    b.bolt('note', out.shuffle(), (n) => void results.push(n));
  });
  const { runtime, running, ledger } = await startVirtual(t);
  await runtime.until(running.done);
  assert.deepEqual(aborted, [1, 1]);
  assert.deepEqual(results, [2]);
  assert.match(ledger.list()[0]!.detail, /'work' did not finish within 2000 ms/);
  assert.equal(source.committed.get('a'), 2);
});

test('a call that throws at once is an error like any other', async () => {
  const source = new ArraySource(type<number>(), { a: [1] });
  const t = topology('throws', (b) => {
    const work = asyncBolt({
      concurrency: 1,
      execute: (): Promise<number> => {
        throw new Error('at once');
      },
    });
    b.bolt('work', b.spout('s', source.spout).shuffle(), work, { onError: { retries: 0 } });
  });
  const started = await startVirtual(t);
  await started.runtime.until(started.running.done);
  assert.match(started.ledger.list()[0]!.detail, /at once/);
});

test('what was given up is not counted as acked; each try is counted and timed', async () => {
  const source = new ArraySource(type<number>(), { a: [1, 2] });
  const t = topology('counted', (b) => {
    const work = asyncBolt({
      concurrency: 1,
      execute: async (n: number) => {
        await new Promise((resolve) => setTimeout(resolve, 10));
        if (n === 1) throw new Error('no');
      },
    });
    b.bolt('work', b.spout('s', source.spout).shuffle(), work, { onError: { retries: 2 } });
  });
  const { runtime, running } = await startVirtual(t);
  await runtime.until(running.done);
  const { executed, acked, failed, errors, ledgered, execute } = running.metrics().components[1]!;
  assert.deepEqual([executed, acked, failed, errors, ledgered], [4, 1, 1, 3, 1]);
  assert.deepEqual([execute.count, execute.sum], [4, 40]);
});

test('calls behind a barrier leave those in front of it a place, also those that wait for another one of their key', async () => {
  const world = new World();
  const table = new Table<string>();
  const input: string[] = [];
  const source = new ArraySource(type<string>(), { s: input }, true);
  const slow = asyncBolt({
    concurrency: 1,
    order: 'perKey',
    execute: async (word: string) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return word;
    },
  });
  const built = topology('slow', (t) => {
    const read = t.spout('words', source.spout);
    const slowly = t.bolt(
      'slow',
      read.keyBy((w) => w),
      slow,
    );
    t.sink('table', slowly.shuffle(), table.sink);
  });
  const running = await world.start(built);
  await world.runtime.advance(90);
  input.push('a', 'a');
  source.wake();
  await world.runtime.advance(15);
  input.push('b');
  source.wake();
  await world.runtime.advance(400);
  assert.deepEqual(table.rows, ['a', 'a', 'b']);
  await running.kill();
});
