import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tuple } from '../index.ts';
import { asyncBolt, bolt, manualBolt, sink, topology, type } from '../index.ts';
import { memoryLedger } from '../ledger/memory.ts';
import { ArraySource, startVirtual } from '../testing/start-virtual.ts';

const slowly = (ms: number) => asyncBolt({ concurrency: 8, execute: (n: number) => later(n, ms) });
const later = (n: number, ms: number) => new Promise<number>((resolve) => setTimeout(() => resolve(n), ms));

test('a kill while a stop drains leaves at once: nothing is flushed or written any more', async () => {
  const source = new ArraySource(type<number>(), { a: [1, 2, 3] }, true);
  const written: number[] = [];
  let flushes = 0;
  const t = topology('drained', (b) => {
    const s = b.spout('s', source.spout);
    b.bolt('slow', s.shuffle(), slowly(60_000));
    const flushing = bolt({ prepare: () => ({ execute: (_: number) => {}, flush: () => void flushes++ }) });
    b.bolt('flushing', s.shuffle(), flushing);
    const write = (values: readonly number[]) => void written.push(...values);
    b.sink('out', s.shuffle(), sink<number>({ mode: 'append', batch: { size: 10, every: '1h' }, write }));
  });
  const { runtime, running } = await startVirtual(t);
  await runtime.settle();
  const stopped = running.stop();
  await runtime.advance('1s');
  await runtime.until(running.kill());
  await runtime.until(stopped);
  await runtime.advance('2m');
  assert.deepEqual([running.state, written, flushes], ['killed', [], 0]);
});

test('a kill during the last commit stays a kill, and closes everything once', async () => {
  const source = new ArraySource(type<number>(), { a: [1] }, true, 5000);
  let cleanups = 0;
  const t = topology('twice', (b) => {
    const closing = bolt({ prepare: () => ({ execute: (_: number) => {}, cleanup: () => void cleanups++ }) });
    b.bolt('closing', b.spout('s', source.spout).shuffle(), closing);
  });
  const { runtime, running } = await startVirtual(t);
  await runtime.settle();
  const stopped = runtime.within(() => running.stop());
  await runtime.advance('1s');
  await runtime.until(running.kill());
  await runtime.until(stopped);
  await runtime.advance('10s');
  assert.deepEqual([running.state, cleanups], ['killed', 1]);
});

test('a topology completes although a replay comes in while the bolts are flushed', async () => {
  const source = new ArraySource(type<number>(), { a: [1, 2, 3] });
  let fails = 1;
  const t = topology('late', (b) => {
    const batching = manualBolt({
      prepare: ({ ack, fail }) => {
        const held: Tuple<number>[] = [];
        return {
          execute: (tuple: Tuple<number>) => {
            if (tuple.value === 1 && fails-- > 0) fail(tuple);
            else held.push(tuple);
          },
          flush: () => {
            for (const tuple of held.splice(0)) ack(tuple);
          },
        };
      },
    });
    const s = b.spout('s', source.spout, { onError: { backoff: 5 } });
    b.bolt('batching', s.shuffle(), batching);
    // Its batches keep the flushing busy while the replay comes in.
    const write = async (values: readonly number[]) => void (await later(values.length, 20));
    b.sink('out', s.shuffle(), sink<number>({ mode: 'append', batch: { size: 10, every: '1h' }, write }));
  });
  const { runtime, running } = await startVirtual(t);
  await runtime.until(running.done, '1m');
  assert.equal(source.committed.get('a'), 3);
});

test('no tick comes after the flush: what it emits would find nobody to flush it', async () => {
  const source = new ArraySource(type<number>(), { a: [1] }, true);
  const events: string[] = [];
  const t = topology('ticking', (b) => {
    const ticking = bolt({
      emits: type<string>(),
      tick: '10ms',
      prepare: ({ emit }) => ({ execute: (_: number) => {}, tick: () => emit('tick'), flush: () => emit('flush') }),
    });
    const ticks = b.bolt('ticking', b.spout('s', source.spout).shuffle(), ticking);
    const slow = async (values: readonly string[]) => {
      await later(0, 100);
      events.push(...values);
    };
    const write = (values: readonly string[]) => void events.push(...values);
    b.sink('slow', ticks.shuffle(), sink<string>({ mode: 'append', batch: { size: 100, every: '1h' }, write: slow }));
    b.sink('out', ticks.shuffle(), sink<string>({ mode: 'append', batch: { size: 100, every: '1h' }, write }));
  });
  const { runtime, running } = await startVirtual(t);
  await runtime.advance(25);
  await runtime.until(runtime.within(() => running.stop()));
  assert.deepEqual(events, ['tick', 'tick', 'flush', 'tick', 'tick', 'flush']);
});

test('what a stop waits for is the end: it resolves when the topology has completed, and once more', async () => {
  const source = new ArraySource(type<number>(), { a: [1] });
  const t = topology('ended', (b) => void b.bolt('slow', b.spout('s', source.spout).shuffle(), slowly(1000)));
  const { runtime, running } = await startVirtual(t);
  await runtime.advance(10);
  assert.equal(running.state, 'draining');
  await runtime.until(runtime.within(() => running.stop()));
  assert.equal(running.state, 'completed');
  await running.stop();
  await assert.rejects(running.replay('slow', undefined, 1, 0), /'ended' is completed/);
});

test('an asynchronous cleanup is waited for, and one that throws is told and stops no other', async () => {
  const source = new ArraySource(type<number>(), { a: [1] });
  const events: string[] = [];
  const t = topology('cleaning', (b) => {
    const s = b.spout('s', source.spout);
    const prepare = () => ({
      execute: (_: number) => {},
      cleanup: async () => {
        await later(0, 50);
        events.push('cleaned');
        throw new Error('still open');
      },
    });
    b.bolt('one', s.shuffle(), bolt({ prepare }));
    b.bolt(
      'two',
      s.shuffle(),
      manualBolt({ prepare: () => ({ ...prepare(), execute(_: Tuple<number>) {}, flush() {} }) }),
    );
  });
  const { runtime, running, log } = await startVirtual(t, { guarantee: 'at-most-once' });
  await runtime.until(running.done);
  assert.deepEqual(events, ['cleaned', 'cleaned']);
  assert.deepEqual(
    log.filter((line) => line.includes('while closing')),
    ['one: while closing: still open', 'two: while closing: still open'],
  );
});

test('the end waits for the ledger, also where no tree does', async () => {
  const source = new ArraySource(type<number>(), { a: [1] });
  const t = topology('slow-ledger', (b) => {
    const no = () => {
      throw new Error('no');
    };
    b.bolt('no', b.spout('s', source.spout).shuffle(), no, { onError: { retries: 0 } });
  });
  const memory = memoryLedger();
  const ledger = {
    ...memory,
    record: async (entry: Parameters<typeof memory.record>[0]) => {
      await later(0, 5000);
      await memory.record(entry);
    },
  };
  const { runtime, running } = await startVirtual(t, { ledger, guarantee: 'at-most-once' });
  await runtime.until(running.done);
  assert.equal(memory.list().length, 1);
});

test('ticks wait while a queue downstream is full, and so do the flushes of a drain (law 9)', async () => {
  const source = new ArraySource(type<number>(), { a: [1] }, true);
  const got: string[] = [];
  let most = 0;
  const t = topology('bounded', (b) => {
    const ticking = bolt({
      emits: type<string>(),
      tick: '1ms',
      prepare: ({ emit, index }) => ({
        execute: (_: number) => {},
        tick: () => emit('tick'),
        flush: () => emit(`flush ${index}`),
      }),
    });
    const slow = asyncBolt({
      concurrency: 1,
      execute: async (text: string) => {
        got.push(text);
        await later(0, 10);
      },
    });
    const out = b.bolt('ticking', b.spout('s', source.spout).shuffle(), ticking, { parallelism: 4 });
    b.bolt('slow', out.shuffle(), slow, { queue: 2 });
  });
  const { runtime, running } = await startVirtual(t);
  const look = async (ms: number) => {
    for (let i = 0; i < ms; i++) {
      await runtime.advance(1);
      most = Math.max(most, running.metrics().components[2]!.queued);
    }
  };
  await look(100);
  const stopped = runtime.within(() => running.stop());
  await look(300);
  await runtime.until(stopped);
  assert.deepEqual(
    got.filter((text) => text.startsWith('flush')),
    ['flush 0', 'flush 1', 'flush 2', 'flush 3'],
  );
  assert.equal(most, 3);
  assert.ok(got.lastIndexOf('tick') < got.length - 1);
});
