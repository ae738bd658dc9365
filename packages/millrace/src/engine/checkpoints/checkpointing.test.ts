import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tuple } from '../../index.ts';
import { asyncBolt, bolt, manualBolt, topology, type, value } from '../../index.ts';
import { ArraySource } from '../../testing/start-virtual.ts';
import { counting, Table, World, wordCount, words } from './pipeline.fixture.ts';

test('a count goes on where the last checkpoint was, and nothing comes out twice or is left out', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input: string[] = words(10);
  const first = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.advance(150);
  assert.equal(table.rows.length, 10);
  input.push(...words(5));
  await first.kill();
  const source = new ArraySource(type<string>(), { s: input }, true);
  const second = await world.start(wordCount(source, table));
  await world.runtime.advance(150);
  await first.kill();
  assert.deepEqual(source.taken, 5);
  const byWord = (word: string) => table.rows.filter((row) => row.word === word).map(({ count }) => count);
  assert.deepEqual(['a', 'b', 'c'].map(byWord), [
    [1, 2, 3, 4, 5, 6],
    [1, 2, 3, 4, 5],
    [1, 2, 3, 4],
  ]);
  assert.deepEqual(second.checkpoints()!.restored, { incarnation: 1, number: 1 });
  await second.kill();
});

test('what was not in a completed checkpoint is done again, and comes out once', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input = words(9);
  world.checkpoints.complete = () => new Promise(() => {});
  const first = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.advance(500);
  assert.deepEqual([table.rows, world.checkpoints.completed], [[], []]);
  await first.kill();
  world.checkpoints.complete = async () => {};
  const second = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.advance(150);
  assert.equal(table.rows.length, 9);
  await second.kill();
});

test('an epoch that was complete and not published is published by the next start', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input = words(9);
  table.publishing = () => new Promise(() => {});
  const first = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.advance(150);
  assert.equal(world.checkpoints.completed.length, 1);
  await first.kill();
  table.publishing = () => {};
  const source = new ArraySource(type<string>(), { s: input }, true);
  const second = await world.start(wordCount(source, table));
  await world.runtime.advance(1);
  assert.deepEqual([table.rows.length, table.epochs, source.taken], [9, [{ incarnation: 1, number: 1 }], 0]);
  await second.kill();
});

test('it is published as well where that start asks for less', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  table.publishing = () => new Promise(() => {});
  const first = await world.start(wordCount(new ArraySource(type<string>(), { s: words(3) }, true), table));
  await world.runtime.advance(150);
  await first.kill();
  table.publishing = () => {};
  const source = new ArraySource(type<string>(), { s: words(4) }, true);
  const second = await world.start(wordCount(source, table), { guarantee: 'at-least-once' });
  await world.runtime.until(second.stop());
  assert.deepEqual(table.rows.map(({ word, count }) => `${word}${count}`).sort(), ['a1', 'a2', 'b1', 'c1']);
});

test('a stop makes a last checkpoint and publishes; a completed topology begins anew', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const staying = () => wordCount(new ArraySource(type<string>(), { s: words(3) }, true), table);
  const first = await world.start(staying());
  await world.runtime.until(first.stop());
  assert.equal(table.rows.length, 3);
  const second = await world.start(staying());
  await world.runtime.until(second.stop());
  assert.equal(table.rows.length, 3);
  const ending = () => wordCount(new ArraySource(type<string>(), { s: words(4) }), table);
  await world.runtime.until((await world.start(ending())).done);
  assert.equal(table.rows.length, 4);
  await world.runtime.until((await world.start(ending())).done);
  assert.deepEqual(
    table.rows
      .slice(4)
      .map(({ word, count }) => `${word}${count}`)
      .sort(),
    ['a1', 'a2', 'b1', 'c1'],
  );
});

test('a checkpoint that is too slow is given up, and the next one has all that it had', async () => {
  const world = new World();
  const table = new Table<string>();
  const source = new ArraySource(type<string>(), { s: words(2) }, true);
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const stuck = topology('stuck', (t) => {
    const read = t.spout('words', source.spout);
    const slowly = t.bolt(
      'slow',
      read.shuffle(),
      asyncBolt({ concurrency: 2, execute: (word: string) => held.then(() => word) }),
    );
    const counted = t.bolt(
      'count',
      read.keyBy((w) => w),
      counting(),
    );
    t.sink('slowly', slowly.shuffle(), table.sink);
    t.sink('counts', counted.shuffle(), new Table<unknown>().sink as never);
  });
  const running = await world.start(stuck, { timeout: 300 });
  await world.runtime.advance(1000);
  assert.deepEqual([running.checkpoints()!.completed, running.checkpoints()!.current?.number], [0, 1]);
  assert.ok(
    world.log.some((line) => line.includes('checkpoint 1 is given up after 300ms: it waits for slow[0], slowly[0]')),
  );
  release();
  await world.runtime.advance(150);
  assert.deepEqual([running.checkpoints()!.completed, running.checkpoints()!.failed, table.rows], [1, 1, ['a', 'b']]);
  const { facts, keys } = world.checkpoints.newest!.info;
  assert.deepEqual([facts.outputs, keys, facts.sources.words?.s?.position], [{ slowly: 2, counts: 2 }, 2, 2]);
  await running.kill();
});

test('a disk that refuses delays what comes out, and loses none of it', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input = words(3);
  const source = new ArraySource(type<string>(), { s: input }, true);
  world.checkpoints.complete = async () => {
    throw new Error('ENOSPC: no space left on device');
  };
  const running = await world.start(wordCount(source, table));
  await world.runtime.advance(250);
  input.push(...words(3));
  source.wake();
  await world.runtime.advance(200);
  assert.deepEqual([table.rows, running.checkpoints()!.failed > 1], [[], true]);
  world.checkpoints.complete = async () => {};
  await world.runtime.advance(150);
  assert.equal(table.rows.length, 6);
  await running.kill();
  const again = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.until(again.stop());
  assert.equal(table.rows.length, 6);
});

test('a disk that refuses for long is told of once a minute, and once more when it takes them again', async () => {
  const world = new World();
  const source = new ArraySource(type<string>(), { s: words(3) }, true);
  let why = 'ENOSPC';
  world.checkpoints.complete = async () => {
    throw new Error(why);
  };
  const running = await world.start(wordCount(source, new Table()));
  await world.runtime.advance(150_000);
  why = 'EIO';
  await world.runtime.advance(1000);
  world.checkpoints.complete = async () => {};
  await world.runtime.advance(1000);
  assert.deepEqual(
    world.log.map((line) => line.slice('undefined: '.length)),
    [
      'checkpoint 1 failed: ENOSPC; its epoch goes on into the next',
      'checkpoint 601 failed, as 599 more have since it was said last: ENOSPC; its epoch goes on into the next',
      'checkpoint 1201 failed, as 599 more have since it was said last: ENOSPC; its epoch goes on into the next',
      'checkpoint 1501 failed: EIO; its epoch goes on into the next',
      'checkpoint 1511 is complete again, with all that was put off',
    ],
  );
  await running.kill();
});

test('at its bound the outbox holds the spouts back, and an epoch of many bytes is cut early', async () => {
  const world = new World();
  const table = new Table<string>();
  const long = Array.from({ length: 4000 }, (_, i) => `${i} ${'x'.repeat(100)}`);
  const source = new ArraySource(type<string>(), { s: long }, true);
  let publish = () => {};
  table.publishing = () => new Promise<void>((resolve) => (publish = resolve));
  const copied = topology('copy', (t) => {
    t.sink('table', t.spout('lines', source.spout).shuffle(), table.sink);
  });
  const running = await world.start(copied, {
    interval: 10_000,
    outbox: { bytes: 100_000, total: 200_000, epochs: 10 },
  });
  await world.runtime.advance(100);
  assert.ok(running.checkpoints()!.completed > 0, 'cut long before its interval');
  const waiting = source.taken;
  assert.ok(waiting >= 1500 && waiting < 3000, `${waiting} were taken`);
  await world.runtime.advance(1000);
  assert.equal(source.taken, waiting);
  table.publishing = () => {};
  publish();
  await world.runtime.advance(100);
  await world.runtime.until(running.stop());
  assert.deepEqual(table.rows, long);
});

test('what waits for a slow sink is published together, under the id of its newest epoch, up to a bound', async () => {
  const world = new World();
  const table = new Table<string>();
  const input = ['a'];
  const source = new ArraySource(type<string>(), { s: input }, true);
  const copied = topology('copy', (t) => {
    t.sink('table', t.spout('lines', source.spout).shuffle(), table.sink);
  });
  let publish = () => {};
  table.publishing = () => new Promise<void>((resolve) => (publish = resolve));
  const running = await world.start(copied, { outbox: { bytes: 1e9, total: 1e9, epochs: 100 } });
  await world.runtime.advance(150);
  for (const line of ['b', 'c', 'x'.repeat(5_000_000), 'd']) {
    input.push(line);
    source.wake();
    await world.runtime.advance(100);
  }
  table.publishing = () => {};
  publish();
  await world.runtime.advance(50);
  assert.deepEqual(
    table.epochs.map(({ number }) => number),
    [1, 3, 4, 5],
  );
  assert.deepEqual(table.rows, input);
  assert.deepEqual(running.checkpoints()!.unpublished, { epochs: 0, bytes: 0 });
  await running.kill();
});

test('what a manual bolt fails is in the ledger, and so is a timer that nobody could be told, once', async () => {
  const world = new World();
  const table = new Table<string>();
  const giveUp = manualBolt({
    emits: type<string>(),
    prepare: ({ emit, ack, fail }) => ({
      execute(tuple: Tuple<string>) {
        if (tuple.value === 'b') return fail(tuple, new Error('not this one'));
        emit(tuple.value, [tuple]);
        ack(tuple);
      },
      flush() {},
    }),
  });
  const alarm = bolt({
    emits: type<string>(),
    state: { seen: value(0) },
    timers: { due: 'event' },
    prepare: ({ state, timers }) => ({
      execute(_: string) {
        state.seen.set(1);
        timers.due.set(0);
      },
      timer: {
        due() {
          throw new Error('nobody is there');
        },
      },
    }),
  });
  const built = () =>
    topology('given-up', (t) => {
      const read = t.spout('words', new ArraySource(type<string>(), { s: words(3) }, true).spout);
      t.sink('table', t.bolt('manual', read.shuffle(), giveUp).shuffle(), table.sink);
      t.bolt(
        'alarm',
        read.keyBy((w) => w),
        alarm,
        { onError: { retries: 0 } },
      );
    });
  world.checkpoints.complete = () => new Promise(() => {});
  for (let i = 0; i < 2; i++) {
    const running = await world.start(built());
    await world.runtime.advance(150);
    await running.kill();
    world.checkpoints.complete = async () => {};
  }
  const entries = [...world.ledger.list({ limit: 100 })].map(({ component, cause }) => `${component} ${cause}`);
  assert.deepEqual(entries.sort(), ['alarm error', 'alarm error', 'alarm error', 'manual error']);
  assert.deepEqual(table.rows, ['a', 'c']);
});

test('what a timer gave and was lost on its way is in the ledger once, however often the timer is told', async () => {
  const world = new World();
  const due = bolt({
    emits: type<string>(),
    timers: { due: 'event' },
    prepare: ({ emit, timers }) => ({
      execute: (_: number, time: number) => timers.due.set(time),
      timer: { due: (_, key) => emit(`due ${String(key)}`) },
    }),
  });
  const built = () =>
    topology('due', (t) => {
      const source = new ArraySource(type<number>(), { s: [1, 2, 30] }, true);
      const read = t.spout('numbers', source.spout, { time: { from: (n: number) => n } });
      const told = t.bolt(
        'due',
        read.keyBy((n) => n),
        due,
      );
      const refuse = (text: string): string => {
        throw new Error(`no ${text}`);
      };
      const refused = t.bolt('refuse', told.shuffle(), refuse, { onError: { retries: 0 } });
      t.sink('table', refused.shuffle(), new Table<string>().sink);
    });
  world.checkpoints.complete = () => new Promise(() => {});
  for (let i = 0; i < 2; i++) {
    const running = await world.start(built());
    await world.runtime.advance(150);
    await running.kill();
    world.checkpoints.complete = async () => {};
  }
  const origins = world.ledger.list().map(({ origin }) => `${origin?.split} ${origin?.position}`);
  assert.deepEqual(origins.sort(), ['due 1 1', 'due 2 2']);
});

test('a checkpoint is complete only when the ledger has what was lost before it', async () => {
  const world = new World();
  const safe = Promise.withResolvers<void>();
  const { ledger } = world;
  world.ledger = { ...ledger, record: (entry) => safe.promise.then(() => ledger.record(entry)) };
  const table = new Table<string>();
  const built = topology('refusing', (t) => {
    const read = t.spout('words', new ArraySource(type<string>(), { s: words(3) }, true).spout);
    const refuse = bolt({ emits: type<string>(), prepare: ({ reject }) => ({ execute: (_: string) => reject('no') }) });
    t.sink('table', t.bolt('refuse', read.shuffle(), refuse).shuffle(), table.sink);
  });
  const running = await world.start(built);
  await world.runtime.advance(300);
  assert.equal(world.checkpoints.completed.length, 0);
  safe.resolve();
  await world.runtime.advance(150);
  assert.equal(world.checkpoints.completed.length, 1);
  await running.kill();
});
