import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tuple } from '../../index.ts';
import { asyncBolt, bolt, manualBolt, sink, spout, topology, type, value } from '../../index.ts';
import { ArraySource } from '../../testing/start-virtual.ts';
import { counting, Table, World, words } from './pipeline.fixture.ts';

test('a barrier waits for the calls of an asynchronous bolt, and what goes another way waits for the barrier', async () => {
  const world = new World();
  const table = new Table<string>();
  const source = new ArraySource(type<string>(), { s: words(4) }, true);
  const slow = asyncBolt({
    concurrency: 2,
    execute: async (word: string) => {
      await new Promise((resolve) => setTimeout(resolve, 70));
      return `slow ${word}`;
    },
  });
  const joined = topology('joined', (t) => {
    const read = t.spout('words', source.spout);
    const slowly = t.bolt('slow', read.shuffle(), slow);
    const both = t.bolt(
      'both',
      { slowly: slowly.global(), directly: read.global() },
      bolt({
        emits: type<string>(),
        state: { seen: value(0) },
        prepare: ({ emit, state }) => {
          const take = (word: string) => {
            state.seen.set(state.seen.get() + 1);
            emit(`${state.seen.get()} ${word}`);
          };
          return { execute: { slowly: take, directly: take } };
        },
      }),
    );
    t.sink('table', both.shuffle(), table.sink);
  });
  const running = await world.start(joined);
  await world.runtime.advance(120);
  const current = running.checkpoints()!.current;
  assert.deepEqual(current?.waitsFor, ['slow[0]', 'both[0]', 'table[0]']);
  await world.runtime.advance(200);
  assert.equal(table.rows.length, 8);
  assert.deepEqual(table.rows.filter((row) => row.includes('slow')).length, 4);
  await running.kill();
});

test('inputs that are retried come before the barrier that follows them', async () => {
  const world = new World();
  const table = new Table<string>();
  let failures = 2;
  const picky = bolt({
    emits: type<string>(),
    state: { seen: value(0) },
    prepare: ({ emit, state }) => ({
      execute(word: string) {
        state.seen.set(state.seen.get() + 1);
        emit(`${word}${state.seen.get()}`);
        if (word === 'b' && failures-- > 0) throw new Error('not yet');
      },
    }),
  });
  const built = topology('picky', (t) => {
    const all = t.bolt('picky', t.spout('words', source.spout).global(), picky, { onError: { backoff: 100 } });
    t.sink('table', all.shuffle(), table.sink);
  });
  const source = new ArraySource(type<string>(), { s: words(3) }, true);
  const running = await world.start(built);
  await world.runtime.advance(150);
  assert.deepEqual(running.checkpoints()!.current?.waitsFor, ['picky[0]', 'table[0]']);
  await world.runtime.advance(400);
  assert.deepEqual(table.rows, ['a1', 'b2', 'c3']);
  assert.deepEqual(world.checkpoints.newest!.info.facts.sources.words?.s?.position, 3);
  await running.kill();
});

test('a manual bolt gives on what it holds before the barrier, and gets nothing that is behind it', async () => {
  const world = new World();
  const table = new Table<string>();
  const input: string[] = words(3);
  const source = new ArraySource(type<string>(), { s: input }, true);
  const pairs = manualBolt({
    emits: type<string>(),
    prepare: ({ emit, ack }) => {
      const held: Tuple<string>[] = [];
      let busy = false;
      const give = () => {
        if (busy || held.length === 0) return;
        busy = true;
        const batch = held.splice(0, 2);
        setTimeout(() => {
          busy = false;
          emit(batch.map((tuple) => tuple.value).join(''), batch);
          for (const tuple of batch) ack(tuple);
        }, 30);
      };
      return { execute: (tuple: Tuple<string>) => void held.push(tuple), flush: give };
    },
  });
  const built = topology('pairs', (t) => {
    t.sink('table', t.bolt('pairs', t.spout('words', source.spout).shuffle(), pairs).shuffle(), table.sink);
  });
  const running = await world.start(built);
  await world.runtime.advance(110);
  input.push('d', 'e');
  source.wake();
  await world.runtime.advance(30);
  assert.deepEqual(running.checkpoints()!.current?.waitsFor, ['pairs[0]', 'table[0]']);
  await world.runtime.advance(40);
  assert.deepEqual([table.rows, world.checkpoints.newest!.info.facts.sources.words?.s?.position], [['ab', 'c'], 3]);
  await world.runtime.advance(200);
  assert.deepEqual(table.rows, ['ab', 'c', 'de']);
  await running.kill();
});

test('a sink that publishes at once has written what came before the barrier when the checkpoint is complete', async () => {
  const world = new World();
  const rows: string[] = [];
  let written = () => {};
  const slow = sink<string>({
    mode: 'upsert',
    batch: { size: 100, every: 60_000 },
    write: (values) =>
      new Promise<void>((resolve) => {
        written = () => {
          rows.push(...values);
          resolve();
        };
      }),
  });
  const source = new ArraySource(type<string>(), { s: words(3) }, true);
  const built = topology('slow', (t) => {
    const counted = t.bolt(
      'count',
      t.spout('words', source.spout).keyBy((w) => w),
      counting(),
    );
    t.sink('table', t.bolt('text', counted.shuffle(), ({ word }) => word).shuffle(), slow);
  });
  const running = await world.start(built);
  await world.runtime.advance(200);
  assert.deepEqual([world.checkpoints.completed.length, running.checkpoints()!.current?.waitsFor], [0, ['table[0]']]);
  written();
  await world.runtime.advance(10);
  assert.deepEqual([world.checkpoints.completed.length, rows], [1, ['a', 'b', 'c']]);
  await running.kill();
});

test('a queue spout is told that a message is done when the checkpoint behind it is complete', async () => {
  const world = new World();
  const acked: unknown[] = [];
  let emitted = 0;
  const queue = spout({
    emits: type<string>(),
    open: ({ emit }) => ({
      nextTuple() {
        if (emitted === 3) return false;
        emit(`m${emitted}`, emitted++);
        return true;
      },
      ack: (id) => void acked.push(id),
    }),
  });
  const built = topology('queue', (t) => {
    t.bolt(
      'count',
      t.spout('queue', queue).keyBy((w) => w),
      counting(),
    );
  });
  const running = await world.start(built);
  await world.runtime.advance(90);
  assert.deepEqual(acked, []);
  await world.runtime.advance(20);
  assert.deepEqual(acked, [0, 1, 2]);
  await running.kill();
});

test('timers, event time and the positions of splits are there again, with another parallelism as well', async () => {
  const world = new World();
  const table = new Table<string>();
  const input = { p0: [1, 2, 3], p1: [1, 5] };
  const expire = bolt({
    emits: type<string>(),
    state: { count: value(0) },
    timers: { end: 'event' },
    prepare: ({ emit, state, timers, watermark }) => ({
      execute(_: number, time: number) {
        state.count.set(state.count.get() + 1);
        timers.end.set(time + 10);
      },
      timer: { end: (time, key) => emit(`${String(key)} at ${time}: ${state.count.get()}, ${watermark()}`) },
    }),
  });
  const built = (source: ArraySource<number>, parallelism: number) =>
    topology('timers', (t) => {
      const read = t.spout('numbers', source.spout, { time: { from: (n: number) => n }, parallelism });
      t.sink(
        'table',
        t
          .bolt(
            'expire',
            read.keyBy((n) => n),
            expire,
            { parallelism },
          )
          .shuffle(),
        table.sink,
      );
    });
  const first = await world.start(built(new ArraySource(type<number>(), input, true), 1));
  await world.runtime.advance(150);
  await first.kill();
  const { facts } = world.checkpoints.newest!.info;
  assert.deepEqual(facts.sources.numbers, {
    p0: { position: 3, newest: 3, watermark: 2 },
    p1: { position: 2, newest: 5, watermark: 4 },
  });
  assert.deepEqual(facts.watermarks, { expire: 2 });
  input.p0.push(14);
  input.p1.push(20);
  const source = new ArraySource(type<number>(), input, true);
  const second = await world.start(built(source, 3));
  await world.runtime.advance(150);
  assert.equal(source.taken, 2);
  assert.deepEqual([...table.rows].sort(), ['1 at 11: 2, 13', '2 at 12: 1, 13', '3 at 13: 1, 13']);
  await second.kill();
});

test('records that were taken from the source and not sent off are not in the checkpoint', async () => {
  const world = new World();
  const table = new Table<number>();
  const input = Array.from({ length: 100 }, (_, i) => i);
  const slow = asyncBolt({
    concurrency: 1,
    execute: async (n: number) => {
      await new Promise((resolve) => setTimeout(resolve, 7));
      return n;
    },
  });
  const built = () =>
    topology('slow', (t) => {
      const read = t.spout('numbers', new ArraySource(type<number>(), { s: input }, true).spout);
      t.sink('table', t.bolt('slow', read.shuffle(), slow, { queue: 4 }).shuffle(), table.sink);
    });
  for (let i = 0; i < 4; i++) {
    const running = await world.start(built());
    await world.runtime.advance(250);
    await running.kill();
  }
  const last = await world.start(built());
  await world.runtime.advance(2000);
  await world.runtime.until(last.stop());
  assert.deepEqual(table.rows, input);
});

test('event time goes on where it was: what was late stays late', async () => {
  const world = new World();
  const table = new Table<string>();
  const input = { p: [100] };
  const lateness = bolt({
    emits: type<string>(),
    state: { seen: value(0) },
    prepare: ({ emit, state, watermark }) => ({
      execute(n: number) {
        state.seen.set(1);
        emit(`${n} at ${watermark()}`);
      },
    }),
  });
  const built = () =>
    topology('late', (t) => {
      const source = new ArraySource(type<number>(), input, true);
      const read = t.spout('numbers', source.spout, { time: { from: (n: number) => n } });
      t.sink(
        'table',
        t
          .bolt(
            'late',
            read.keyBy(() => 'all'),
            lateness,
          )
          .shuffle(),
        table.sink,
      );
    });
  const first = await world.start(built());
  await world.runtime.advance(150);
  await first.kill();
  assert.equal(world.checkpoints.newest!.info.facts.watermarks.late, 99);
  input.p.push(50, 60);
  const second = await world.start(built());
  await world.runtime.advance(150);
  await second.kill();
  assert.deepEqual(table.rows.slice(1), ['50 at 99', '60 at 99']);
  assert.deepEqual(world.checkpoints.newest!.info.facts.sources.numbers?.p, {
    position: 3,
    newest: 100,
    watermark: 99,
  });
});

test('where many tuples wait for a slow way to bring the barrier, the slow way goes on', async () => {
  const world = new World();
  const table = new Table<string>();
  const input: string[] = [];
  const source = new ArraySource(type<string>(), { s: input }, true);
  const slow = asyncBolt({
    concurrency: 8,
    order: 'ordered',
    execute: async (word: string) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return `slow ${word}`;
    },
  });
  const built = topology('meeting', (t) => {
    const read = t.spout('words', source.spout);
    const some = t.bolt('some', read.shuffle(), (word) => (Number(word) % 10 === 0 ? word : undefined));
    const slowly = t.bolt('slow', some.shuffle(), slow, { queue: 500 });
    const both = t.bolt(
      'both',
      { slowly: slowly.global(), directly: read.global() },
      {
        ...bolt({
          emits: type<string>(),
          prepare: ({ emit }) => ({ execute: { slowly: (w: string) => emit(w), directly: (w: string) => emit(w) } }),
        }),
      },
      { queue: 8 },
    );
    t.sink('table', both.shuffle(), table.sink);
  });
  const running = await world.start(built, { interval: 10 });
  for (let i = 0; i < 1000; i++) {
    input.push(`${input.length}`, `${input.length + 1}`, `${input.length + 2}`);
    source.wake();
    await world.runtime.advance(1);
  }
  await world.runtime.advance(3000);
  await world.runtime.until(running.stop());
  assert.equal(table.rows.length, 3300);
  assert.deepEqual(
    table.rows.filter((row) => !row.startsWith('slow')),
    input,
  );
});

test('event time does not go back where its source begins anew', async () => {
  const world = new World();
  const table = new Table<string>();
  const seen = bolt({
    emits: type<string>(),
    state: { seen: value(0) },
    prepare: ({ emit, state, watermark }) => ({
      execute(n: number) {
        state.seen.set(1);
        emit(`${n} at ${watermark()}`);
      },
    }),
  });
  const built = (id: string, numbers: readonly number[]) =>
    topology('anew', (t) => {
      const source = new ArraySource(type<number>(), { p: numbers }, true);
      const read = t.spout(id, source.spout, { time: { from: (n: number) => n } });
      t.sink(
        'table',
        t
          .bolt(
            'seen',
            read.keyBy(() => 'all'),
            seen,
          )
          .shuffle(),
        table.sink,
      );
    });
  const first = await world.start(built('old', [100]));
  await world.runtime.advance(150);
  await first.kill();
  const second = await world.start(built('new', [50]), { take: { dropped: new Set(['old']) } });
  await world.runtime.until(second.stop());
  assert.deepEqual(table.rows.slice(1), ['50 at 99']);
});

test('a watermark that is behind a barrier does not overtake the tuples that wait for it', async () => {
  const world = new World();
  const table = new Table<string>();
  const fast = { p: [10] };
  const source = new ArraySource(type<number>(), fast, true);
  const slow = asyncBolt({
    concurrency: 1,
    execute: async (n: number) => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      return n;
    },
  });
  const told = bolt({
    emits: type<string>(),
    prepare: ({ emit, watermark }) => ({
      execute: {
        slowly: (n: number) => emit(`slow ${n} at ${watermark()}`),
        directly: (n: number) => emit(`${n} at ${watermark()}`),
      },
    }),
  });
  const built = topology('overtaking', (t) => {
    const time = { from: (n: number) => n };
    const read = t.spout('fast', source.spout, { time });
    const other = t.spout('slow', new ArraySource(type<number>(), { q: [1000, 1001] }, true).spout, { time });
    const slowly = t.bolt('slowly', other.shuffle(), slow, { queue: 4 });
    t.sink('table', t.bolt('told', { slowly: slowly.global(), directly: read.global() }, told).shuffle(), table.sink);
  });
  const running = await world.start(built);
  await world.runtime.advance(250);
  fast.p.push(20);
  source.wake();
  await world.runtime.advance(50);
  fast.p.push(30);
  source.wake();
  await world.runtime.advance(400);
  assert.deepEqual(
    table.rows.filter((row) => !row.startsWith('slow')),
    ['10 at -Infinity', '20 at 9', '30 at 19'],
  );
  await running.kill();
});

test('who asks why event time stands is told of the barrier that it waits behind', async () => {
  const world = new World();
  const input = { p: [10] };
  const source = new ArraySource(type<number>(), input, true);
  const slow = asyncBolt({
    concurrency: 1,
    execute: async (n: number) => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      return n;
    },
  });
  const due = bolt({
    timers: { due: 'event' },
    prepare: ({ timers }) => {
      const execute = (_: number, time: number) => timers.due.set(time + 5);
      return { execute: { slowly: execute, directly: execute }, timer: { due: () => {} } };
    },
  });
  const built = topology('waiting', (t) => {
    const time = { from: (n: number) => n };
    const read = t.spout('fast', source.spout, { time });
    const other = t.spout('slow', new ArraySource(type<number>(), { q: [1000, 1001] }, true).spout, { time });
    const slowly = t.bolt('slowly', other.shuffle(), slow);
    t.bolt('due', { slowly: slowly.global(), directly: read.global() }, due);
  });
  const running = await world.start(built);
  await world.runtime.advance(150);
  input.p.push(20, 30);
  source.wake();
  await world.runtime.advance(10);
  const { holders } = running.explain('due', { time: 15 });
  assert.deepEqual(
    holders.map(({ component, watermark, waits }) => [component, watermark, waits]),
    [
      ['slowly', 'not begun', [{ kind: 'calls', inputs: 2 }]],
      ['due', 9, [{ kind: 'barrier', tuples: 2 }]],
    ],
  );
  await running.kill();
});
