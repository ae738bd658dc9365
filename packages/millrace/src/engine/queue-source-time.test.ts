/** Event time of queue spouts through the engine: a task is one split. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { structured } from '../codec/structured.ts';
import type { MessageId, SpoutOptions } from '../index.ts';
import { asyncBolt, spout, topology, type } from '../index.ts';
import { startVirtual } from '../testing/start-virtual.ts';
import type { Guarantee } from '../topology/receipt.ts';
import { hears, Tap } from './source-time.fixture.ts';

/** A queue spout that a test drives. */
function queue(options: SpoutOptions<number>, guarantee: Guarantee = 'at-least-once', ...others: readonly Tap[]) {
  const heard: string[] = [];
  const acked: MessageId[] = [];
  const own: string[] = [];
  let release = () => {};
  const [held, none] = [new Promise<void>((resolve) => (release = resolve)), Promise.resolve()];
  let task!: { emit: (n: number, id?: MessageId, time?: number) => void; end: () => void };
  const source = spout({
    emits: type<number>(),
    open: ({ emit, end }) => {
      task = { emit, end };
      return { nextTuple: () => false, ack: (id) => void acked.push(id) };
    },
  });
  const t = topology('queue', (b) => {
    const inputs = others.map((tap, i) => [`x${i}`, b.spout(`x${i}`, tap.spout).global()] as const);
    const s = b.spout('s', source, options);
    b.bolt('out', { ...Object.fromEntries(inputs), s: s.global() }, hears(heard));
    b.bolt('own', s.global(), hears(own));
    b.bolt('held', s.shuffle(), asyncBolt({ concurrency: 100, execute: (n: number) => (n === 0 ? held : none) }));
  });
  const start = async () => {
    const started = await startVirtual(t, { guarantee });
    return { ...started, task, release };
  };
  return { heard, own, acked, start };
}

test('a task of a queue spout is one split: its watermark follows the times that it gives, and ends with it', async () => {
  const { heard, start } = queue({ time: { outOfOrder: 10 } });
  const { runtime, running, task } = await start();
  task.emit(1, 'x', 100);
  task.emit(2, 'y', 95);
  await runtime.settle();
  task.emit(3);
  await runtime.settle();
  assert.deepEqual(heard.splice(0), ['1@100', '2@95', 'to 89', '3@0']);
  task.end();
  await runtime.until(running.done);
  assert.deepEqual(heard, ['to Infinity']);
});

test('a tuple of a queue without a time goes to the ledger, and is acked when its entry is there', async () => {
  for (const guarantee of ['at-least-once', 'at-most-once'] as const) {
    const { heard, acked, start } = queue({ time: { from: (n) => (n === 2 ? -5 : n) } }, guarantee);
    const { runtime, ledger, task } = await start();
    for (const n of [1, 2, 3]) task.emit(n, `id${n}`, 77);
    await runtime.settle();
    assert.deepEqual(heard, ['1@1', '3@3', 'to 2']);
    assert.deepEqual([...acked].sort(), ['id1', 'id2', 'id3']);
    const [entry] = ledger.list();
    assert.deepEqual([entry!.cause, entry!.time, structured.decode(entry!.payload!)], ['time', 77, 2]);
  }
});

test('a queue spout that is idle lets others go on; its next tuple holds them again', async () => {
  const tap = new Tap('a');
  const { heard, start } = queue({ time: { idle: '10s' } }, 'at-least-once', tap);
  const { runtime, task } = await start();
  task.emit(1, 'x', 100);
  tap.give('a', 500);
  await runtime.advance(9999);
  assert.deepEqual(heard.splice(0), ['500@500', '1@100', 'to 99']);
  await runtime.advance(1);
  assert.deepEqual(heard.splice(0), ['to 499']);
  task.emit(2, 'y', 50);
  await runtime.settle();
  tap.give('a', 600);
  await runtime.settle();
  assert.deepEqual(heard.splice(0), ['2@50', '600@600']);
  task.emit(3, 'z', 700);
  await runtime.settle();
  assert.deepEqual(heard, ['3@700', 'to 599']);
});

test('time in which a queue spout was inactive, or too much of it was pending, does not make it idle', async () => {
  for (const why of ['inactive', 'pending'] as const) {
    const tap = new Tap('a');
    const { heard, start } = queue(
      { time: { idle: '10s' }, maxPending: 1, messageTimeout: '2h' },
      'at-least-once',
      tap,
    );
    const { runtime, running, task, release } = await start();
    if (why === 'inactive') running.deactivate();
    else task.emit(0, 'x', 5);
    await runtime.advance('1h');
    if (why === 'inactive') running.activate();
    else release();
    tap.give('a', 500);
    await runtime.advance(9999);
    assert.ok(!heard.includes('to 499'), why);
    await runtime.advance(1);
    assert.ok(heard.includes('to 499'), why);
  }
});

test('a queue spout that has ended takes time to its end while another goes on', async () => {
  const tap = new Tap('a');
  const { heard, own, start } = queue({}, 'at-least-once', tap);
  const { runtime, task } = await start();
  tap.give('a', 500);
  task.emit(1, undefined, 100);
  await runtime.settle();
  task.end();
  await runtime.settle();
  assert.deepEqual(heard, ['500@500', '1@100', 'to 99', 'to 499']);
  assert.deepEqual(own, ['1@100', 'to 99', 'to Infinity']);
});

test('a task of a queue spout that runs ahead of another waits for it, and is not idle meanwhile', async () => {
  const emits: ((n: number, time: number) => void)[] = [];
  const asked: number[] = [];
  const source = spout({
    emits: type<number>(),
    open: ({ emit, index, wake }) => {
      emits[index] = (n, time) => {
        emit(n, undefined, time);
        if (n > 0) wake();
      };
      return {
        nextTuple() {
          asked.push(index);
          return false;
        },
      };
    },
  });
  const t = topology('queues', (b) => {
    const s = b.spout('s', source, { parallelism: 2, time: { align: 100, idle: '10s' } });
    b.bolt('out', s.global(), hears([]));
  });
  const { runtime } = await startVirtual(t);
  emits[1]!(1, 50);
  emits[0]!(1, 1000);
  await runtime.settle();
  asked.splice(0);
  emits[0]!(1, 1000);
  for (const time of [51, 52, 53]) {
    await runtime.advance('8s');
    emits[1]!(1, time);
    await runtime.settle();
  }
  assert.ok(!asked.includes(0));
  emits[1]!(0, 950);
  await runtime.settle();
  assert.ok(asked.includes(0));
});
