import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorPolicy } from '../index.ts';
import { sink, topology, type } from '../index.ts';
import { ArraySource, startVirtual } from '../testing/start-virtual.ts';

const numbers = (n: number) => Array.from({ length: n }, (_, i) => i);

function sinking(
  source: ArraySource<number>,
  write: (values: readonly number[], times: readonly number[]) => void | Promise<void>,
  batch: { size: number; every: '1s' } = { size: 10, every: '1s' },
  onError: ErrorPolicy = {},
) {
  return topology('sinking', (t) => {
    t.sink('out', t.spout('s', source.spout).shuffle(), sink({ mode: 'append', batch, write }), { onError });
  });
}

test('batches are written at their size or age, and only then their records are done', async () => {
  const source = new ArraySource(type<number>(), { a: numbers(25) }, true);
  const batches: number[] = [];
  const { runtime, running } = await startVirtual(sinking(source, (values) => void batches.push(values.length)));
  await runtime.settle();
  assert.deepEqual(batches, [10, 10]);
  assert.equal(running.metrics().components[0]!.pending, 5);
  await runtime.advance('1s');
  assert.deepEqual(batches, [10, 10, 5]);
  await runtime.advance('1s');
  assert.equal(source.committed.get('a'), 25, 'positions are noted every second');
});

test('one write at a time; meanwhile one more batch fills, and then the source waits', async () => {
  const source = new ArraySource(type<number>(), { a: numbers(1000) });
  const writing: (() => void)[] = [];
  let most = 0;
  const write = () => {
    const written = new Promise<void>((resolve) => writing.push(resolve));
    most = Math.max(most, writing.length);
    return written;
  };
  const { runtime, running } = await startVirtual(sinking(source, write));
  await runtime.advance('1h');
  assert.equal(most, 1);
  assert.equal(running.metrics().components[1]!.queued, 20);
  while (running.state !== 'completed') {
    for (const done of writing.splice(0)) done();
    await runtime.advance(1);
  }
  assert.equal(source.committed.get('a'), 1000);
});

test('a failed write is tried again whole, in order, and nothing is committed before it succeeds', async () => {
  const source = new ArraySource(type<number>(), { a: numbers(10) }, true);
  const tries: number[][] = [];
  const write = async (values: readonly number[]) => {
    tries.push([...values]);
    if (tries.length < 3) throw new Error('the database is away');
  };
  const { runtime, running, log } = await startVirtual(sinking(source, write));
  await runtime.advance(250);
  assert.equal(tries.length, 2);
  assert.equal(source.committed.size, 0);
  await runtime.advance('2s');
  assert.deepEqual(tries[2], numbers(10));
  assert.equal(source.committed.get('a'), 10);
  assert.match(log[0]!, /the database is away \(value: 10 values, first 0\); retry 1 in 100 ms/);
  assert.equal(running.metrics().components[1]!.acked, 10);
});

test('a sink that stays down stops the topology by default, with nothing committed', async () => {
  const source = new ArraySource(type<number>(), { a: numbers(10) });
  const write = () => Promise.reject(new Error('gone'));
  const { runtime, running } = await startVirtual(
    sinking(source, write, { size: 10, every: '1s' }, { retries: 2, backoff: '1s' }),
  );
  await assert.rejects(runtime.until(running.done), { code: 'MR_USER_CODE', message: /'out' task 0 failed: gone/ });
  assert.equal(running.state, 'failed');
  assert.equal(source.committed.size, 0);
  assert.equal(source.asked.at(-1), 'close');
});

test("with the policy 'ledger' each value of the batch has an entry with its own origin", async () => {
  const source = new ArraySource(type<number>(), { a: [5, 6] });
  const write = () => {
    throw new Error('no such table');
  };
  const { runtime, running, ledger } = await startVirtual(
    sinking(source, write, { size: 2, every: '1s' }, { retries: 0, exhausted: 'ledger' }),
  );
  await runtime.until(running.done);
  assert.deepEqual(
    ledger
      .list()
      .map((e) => e.origin?.position)
      .sort(),
    [0, 1],
  );
  assert.equal(source.committed.get('a'), 2);
});

test('result latency is from the event to its write', async () => {
  const source = new ArraySource(type<number>(), { a: [1] }, true);
  const { runtime, running } = await startVirtual(sinking(source, () => {}));
  await runtime.advance('2s');
  const { result } = running.metrics().components[1]!;
  assert.deepEqual([result.count, result.max], [1, 1000], 'an event of time 0, written at 1 s');
});
