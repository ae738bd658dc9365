import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asyncBolt, flatMap, sink, topology, type } from '../index.ts';
import { ArraySource, startVirtual } from '../testing/start-virtual.ts';

test('a generator larger than memory is pulled only as fast as downstream takes its values', async () => {
  let made = 0;
  let mostAhead = 0;
  let done = 0;
  function* million(): Generator<number> {
    for (let i = 0; i < 3000; i++) {
      made++;
      mostAhead = Math.max(mostAhead, made - done);
      yield i;
    }
  }
  const order: number[] = [];
  const source = new ArraySource(type<string>(), { a: ['x', 'y'] });
  const fan = topology('fan', (t) => {
    const many = t.bolt('many', t.spout('s', source.spout).shuffle(), flatMap(million));
    const slow = asyncBolt({ concurrency: 2, execute: async (n: number) => n });
    const out = t.bolt('slow', many.shuffle(), slow, { queue: 10 });
    t.bolt('count', out.shuffle(), (n) => {
      done++;
      order.push(n);
    });
  });
  const { runtime, running } = await startVirtual(fan);
  await runtime.until(running.done);
  assert.equal(made, 6000);
  assert.ok(mostAhead <= 14, `${mostAhead} values were ahead`);
  assert.deepEqual(order.slice(0, 3000), order.slice(3000), 'the second input waited for the first, in order');
  assert.deepEqual(order.slice(0, 3), [0, 1, 2]);
});

test('a generator that throws half-way is run again, and the values already given are skipped', async () => {
  let tries = 0;
  const half = flatMap(function* (line: string) {
    const fails = tries++ === 0;
    for (let i = 0; i < 4; i++) {
      if (fails && i === 2) throw new Error('half-way');
      yield `${line}${i}`;
    }
  });
  const out: string[] = [];
  const source = new ArraySource(type<string>(), { a: ['a', 'b'] });
  const fan = topology('half', (t) => {
    t.bolt('note', t.bolt('half', t.spout('s', source.spout).shuffle(), half).shuffle(), (v) => void out.push(v));
  });
  const { runtime, running } = await startVirtual(fan);
  await runtime.until(running.done);
  assert.deepEqual(
    out.filter((v) => v.startsWith('a')),
    ['a0', 'a1', 'a2', 'a3'],
  );
  assert.deepEqual(
    out.filter((v) => v.startsWith('b')),
    ['b0', 'b1', 'b2', 'b3'],
  );
  assert.equal(source.committed.get('a'), 2);
});

test('an array is emitted whole or not at all, and a poisonous input goes to the ledger', async () => {
  const out: string[] = [];
  const source = new ArraySource(type<string | null>(), { a: ['a b', null, 'c'] });
  const words = topology('words', (t) => {
    const split = flatMap((line: string | null) => line!.split(' '));
    const stream = t.bolt('split', t.spout('s', source.spout).shuffle(), split, { onError: { retries: 1 } });
    t.sink(
      'out',
      stream.shuffle(),
      sink({ mode: 'append', batch: { size: 1, every: 0 }, write: (v: readonly string[]) => void out.push(...v) }),
    );
  });
  const { runtime, running, ledger } = await startVirtual(words);
  await runtime.until(running.done);
  assert.deepEqual(out, ['a', 'b', 'c']);
  const [entry] = ledger.list();
  assert.equal(entry!.component, 'split');
  assert.deepEqual(entry!.origin, { spout: 's', split: 'a', position: 1 });
});

test('what waits behind a generator stays in order, whatever its key, and waits for room as well (law 9)', async () => {
  const source = new ArraySource(type<number>(), { a: [0] });
  const got: string[] = [];
  let most = 0;
  const t = topology('behind', (b) => {
    const twelve = b.bolt(
      'twelve',
      b.spout('s', source.spout).shuffle(),
      flatMap(() => [...Array(12).keys()]),
    );
    // The first is a generator that fills the queue; the others are arrays, which are given on at once.
    const mixed = flatMap((n: number): Iterable<string> => {
      const values = ['a', 'b', 'c', 'd'].slice(0, n === 0 ? 4 : 2).map((letter) => `${n}${letter}`);
      return n === 0 ? values.values() : values;
    });
    const slow = asyncBolt({
      concurrency: 1,
      execute: (text: string) => new Promise<void>((resolve) => setTimeout(() => resolve(void got.push(text)), 10)),
    });
    const out = b.bolt(
      'mixed',
      twelve.keyBy((n) => n % 3),
      mixed,
      { queue: 20 },
    );
    b.bolt('slow', out.shuffle(), slow, { queue: 2 });
  });
  const { runtime, running } = await startVirtual(t);
  while (running.state !== 'completed') {
    await runtime.advance(1);
    most = Math.max(most, running.metrics().components[3]!.queued);
  }
  const pairs = Array.from({ length: 11 }, (_, i) => [`${i + 1}a`, `${i + 1}b`]);
  assert.deepEqual(got, ['0a', '0b', '0c', '0d', ...pairs.flat()]);
  assert.ok(most <= 4, `${most} waited: the bound of 3, and what one input gave beyond it`);
});

test('a generator that waited is counted when it ends', async () => {
  const source = new ArraySource(type<number>(), { a: [1] });
  const t = topology('waited', (b) => {
    const three = flatMap(function* (n: number) {
      for (let i = 0; i < 3; i++) yield n;
    });
    const out = b.bolt('three', b.spout('s', source.spout).shuffle(), three);
    const slow = asyncBolt({
      concurrency: 1,
      execute: () => new Promise<void>((resolve) => setTimeout(resolve, 10)),
    });
    b.bolt('slow', out.shuffle(), slow, { queue: 2 });
  });
  const { runtime, running } = await startVirtual(t);
  await runtime.until(running.done);
  const { executed, acked, execute } = running.metrics().components[1]!;
  assert.deepEqual([executed, acked, execute.count], [1, 1, 1]);
});
