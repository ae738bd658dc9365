import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MessageId, Tuple } from '../index.ts';
import { asyncBolt, bolt, flatMap, manualBolt, spout, topology, type } from '../index.ts';
import { ArraySource, startVirtual } from '../testing/start-virtual.ts';
import { testRun } from '../testing.ts';

const never = spout({ emits: type<number>(), open: () => ({ nextTuple: () => false }) });

/** Sums pairs: emits anchored to both, and acks both. */
const pairs = manualBolt({
  emits: type<number>(),
  prepare({ emit, ack }) {
    let held: Tuple<number>[] = [];
    const flush = () => {
      for (const tuple of held) ack(tuple);
      held = [];
    };
    return {
      execute(tuple: Tuple<number>) {
        held.push(tuple);
        if (held.length < 2) return;
        emit(
          held.reduce((sum, t) => sum + t.value, 0),
          held,
        );
        flush();
      },
      flush,
    };
  },
});

test('a tuple stays open until it is acked, and until what is anchored to it is done', async () => {
  let fails = 1;
  const picky = bolt({
    prepare: () => ({
      execute(_sum: number) {
        if (fails-- > 0) throw new Error('not yet');
      },
    }),
  });
  const run = testRun(
    topology('pairs', (t) => {
      const raw = t.spout('raw', never);
      const sums = t.bolt('pairs', raw.shuffle(), pairs);
      t.bolt('picky', sums.shuffle(), picky, { onError: { backoff: '1s' } });
      return { raw, sums };
    }),
  );
  run.feed('raw', 1);
  assert.equal(run.acked, 0, 'held');
  run.feed('raw', 2);
  assert.deepEqual(run.read('sums'), [3]);
  assert.equal(run.acked, 0, 'acked by the bolt, but the sum anchored to both waits for its retry');
  await run.advance('1s');
  assert.deepEqual([run.acked, run.failed], [2, 0]);
});

test('failing a tuple fails its tree; acking it twice is refused', async () => {
  let kept: Tuple<number> | undefined;
  let task: { ack(t: Tuple<unknown>): void; fail(t: Tuple<unknown>, cause?: unknown): void } | undefined;
  const keeper = manualBolt({
    prepare(given) {
      task = given;
      return {
        execute(tuple: Tuple<number>) {
          kept = tuple;
        },
        flush() {},
      };
    },
  });
  const run = testRun(
    topology('keeper', (t) => {
      const raw = t.spout('raw', never);
      t.bolt('keeper', raw.shuffle(), keeper);
      return { raw };
    }),
  );
  run.feed('raw', 1);
  task!.fail(kept!, new Error('no'));
  assert.deepEqual([run.acked, run.failed], [0, 1]);
  assert.throws(() => task!.ack(kept!), { code: 'MR_STALE_TUPLE' });
});

test('when execute throws, its emits and acks are dropped and its tuple fails', async () => {
  const clumsy = manualBolt({
    emits: type<number>(),
    prepare: ({ emit, ack }) => ({
      execute(tuple: Tuple<number>) {
        emit(tuple.value, [tuple]);
        ack(tuple);
        throw new Error('after all');
      },
      flush() {},
    }),
  });
  const run = testRun(
    topology('clumsy', (t) => {
      const raw = t.spout('raw', never);
      return { raw, out: t.bolt('clumsy', raw.shuffle(), clumsy) };
    }),
  );
  run.feed('raw', 1);
  assert.deepEqual(run.read('out'), []);
  assert.deepEqual([run.acked, run.failed], [0, 1]);
});

test('a batch larger than the queue is flushed when the queue is full, and a stop flushes the rest', async () => {
  const batches: number[] = [];
  const source = new ArraySource(type<number>(), { a: Array.from({ length: 25 }, (_, i) => i) });
  const t = topology('batches', (b) => {
    const batching = manualBolt({
      prepare({ ack }) {
        let held: Tuple<number>[] = [];
        return {
          execute: (tuple: Tuple<number>) => void held.push(tuple),
          flush() {
            if (held.length > 0) batches.push(held.length);
            for (const tuple of held) ack(tuple);
            held = [];
          },
        };
      },
    });
    b.bolt('batching', b.spout('s', source.spout).shuffle(), batching, { queue: 10 });
  });
  const { runtime, running } = await startVirtual(t);
  await runtime.until(running.done);
  assert.deepEqual(batches, [10, 10, 5]);
  assert.equal(source.committed.get('a'), 25);
});

test('a queue spout hears of each id once: acked, failed, or timed out within [T, 2T] of silence', async () => {
  const heard: string[] = [];
  const held = new Map<number, Tuple<number>>();
  let reset: (tuple: Tuple<unknown>) => void = () => {};
  const source = spout({
    emits: type<number>(),
    open: ({ emit, now }) => {
      let next = 0;
      return {
        nextTuple() {
          if (next === 3) return false;
          emit(next, next++);
          return true;
        },
        ack: (id: MessageId) => void heard.push(`ack ${id} at ${now()}`),
        fail: (id: MessageId) => void heard.push(`fail ${id} at ${now()}`),
      };
    },
  });
  const t = topology('timeouts', (b) => {
    const keeper = manualBolt({
      prepare: ({ ack, resetTimeout }) => {
        reset = resetTimeout;
        return {
          execute(tuple: Tuple<number>) {
            if (tuple.value === 0) ack(tuple);
            else held.set(tuple.value, tuple);
          },
          flush() {},
        };
      },
    });
    b.bolt('keeper', b.spout('s', source, { messageTimeout: '10s' }).shuffle(), keeper);
  });
  const { runtime, running } = await startVirtual(t);
  await runtime.advance('12s');
  assert.deepEqual(heard, ['ack 0 at 0']);
  reset(held.get(2)!);
  await runtime.advance('10s');
  assert.deepEqual(heard, ['ack 0 at 0', 'fail 1 at 20000']);
  await runtime.advance('20s');
  assert.deepEqual(heard.slice(2), ['fail 2 at 30000']);
  assert.equal(running.metrics().components[0]!.pending, 0);
});

test('a tuple that is acked twice in one step is an error of user code, and the engine goes on', async () => {
  const source = new ArraySource(type<number>(), { a: [1, 2] });
  const done: number[] = [];
  const t = topology('twice', (b) => {
    const twice = manualBolt({
      prepare: ({ ack }) => ({
        execute(tuple: Tuple<number>) {
          ack(tuple);
          if (tuple.value === 1) ack(tuple);
          done.push(tuple.value);
        },
        flush() {},
      }),
    });
    b.bolt('twice', b.spout('s', source.spout, { onError: { retries: 1 } }).shuffle(), twice);
  });
  const { runtime, running, ledger } = await startVirtual(t);
  await runtime.until(running.done);
  assert.deepEqual(done, [2]);
  assert.match(ledger.list()[0]!.detail, /'twice'/);
  const { acked, failed, errors, queued } = running.metrics().components[1]!;
  assert.deepEqual([acked, failed, errors, queued], [1, 2, 2, 0]);
});

test('what a bolt gives on from a promise waits in order while a queue downstream is full (law 9)', async () => {
  const source = new ArraySource(type<number>(), { a: Array.from({ length: 40 }, (_, i) => i) });
  const got: number[] = [];
  let most = 0;
  const t = topology('late', (b) => {
    const later = manualBolt({
      emits: type<number>(),
      prepare: ({ emit, ack }) => ({
        execute(tuple: Tuple<number>) {
          setTimeout(() => {
            emit(tuple.value, [tuple]);
            ack(tuple);
          }, 5);
        },
        flush() {},
      }),
    });
    const slow = asyncBolt({
      concurrency: 1,
      execute: (n: number) => new Promise<void>((resolve) => setTimeout(() => resolve(void got.push(n)), 10)),
    });
    const out = b.bolt('later', b.spout('s', source.spout).shuffle(), later, { queue: 30 });
    b.bolt('slow', out.shuffle(), slow, { queue: 2 });
  });
  const { runtime, running } = await startVirtual(t);
  while (running.state !== 'completed') {
    await runtime.advance(1);
    most = Math.max(most, running.metrics().components[2]!.queued);
  }
  assert.deepEqual(
    got,
    Array.from({ length: 40 }, (_, i) => i),
  );
  assert.equal(most, 3);
});

test('an asynchronous execute that fails after its first await fails its tuple', async () => {
  const source = new ArraySource(type<number>(), { a: [1] });
  const t = topology('awaiting', (b) => {
    const awaiting = manualBolt({
      prepare: () => ({
        execute: async (_: Tuple<number>) => {
          await Promise.resolve();
          throw new Error('too late');
        },
        flush() {},
      }),
    });
    b.bolt('awaiting', b.spout('s', source.spout, { onError: { retries: 0 } }).shuffle(), awaiting);
  });
  const { runtime, running, ledger } = await startVirtual(t);
  await runtime.until(running.done);
  assert.match(ledger.list()[0]!.detail, /too late/);
  assert.equal(running.metrics().components[1]!.errors, 1);
});

test('one step does not run inside another: an emit keeps its place behind the ack that made room (law 2)', async () => {
  const source = new ArraySource(type<number>(), { a: [3] });
  const got: string[] = [];
  const t = topology('nested', (b) => {
    const pairing = manualBolt({
      emits: type<string>(),
      prepare: ({ emit, ack }) => {
        let held: Tuple<number>[] = [];
        const flush = () => {
          for (const tuple of held) ack(tuple);
          if (held.length > 0) emit(`after ${held.map(({ value }) => value)}`, []);
          held = [];
        };
        return {
          execute(tuple: Tuple<number>) {
            held.push(tuple);
            emit(`got ${tuple.value}`, []);
          },
          flush,
        };
      },
    });
    const counts = flatMap(function* (n: number) {
      for (let i = 0; i < n; i++) yield i;
    });
    const s = b.bolt('counts', b.spout('s', source.spout).shuffle(), counts);
    b.bolt('note', b.bolt('pairing', s.shuffle(), pairing, { queue: 1 }).shuffle(), (text) => void got.push(text));
  });
  const { runtime, running } = await startVirtual(t);
  await runtime.until(running.done);
  assert.deepEqual(got, ['got 0', 'after 0', 'got 1', 'after 1', 'got 2', 'after 2']);
});
