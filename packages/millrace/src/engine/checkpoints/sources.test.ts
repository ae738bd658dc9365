import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logSpout, spout, topology, type } from '../../index.ts';
import { ArraySource } from '../../testing/start-virtual.ts';
import { counting, Table, World, wordCount, words } from './pipeline.fixture.ts';

/** A queue that gives `most` messages, and what has been acked of them. */
function queue(most: number) {
  const acked: unknown[] = [];
  let emitted = 0;
  const messages = spout({
    emits: type<string>(),
    open: ({ emit }) => ({
      nextTuple() {
        if (emitted === most) return false;
        emit(`m${emitted % 3}`, emitted++);
        return true;
      },
      ack: (id) => void acked.push(id),
    }),
  });
  const built = topology('queue', (t) => {
    const read = t.spout('queue', messages, { maxPending: 10 });
    t.bolt(
      'count',
      read.keyBy((w) => w),
      counting(),
    );
  });
  return { built, acked, emitted: () => emitted };
}

test('a queue gives no more than may be pending while the disk refuses, and what it gave is acked in order', async () => {
  const world = new World();
  const { built, acked, emitted } = queue(25);
  world.checkpoints.complete = async () => {
    throw new Error('ENOSPC: no space left on device');
  };
  const running = await world.start(built);
  await world.runtime.advance(60_000);
  const pending = () => running.metrics().components.find(({ component }) => component === 'queue')!.pending;
  assert.deepEqual([emitted(), pending(), acked], [10, 10, []]);
  world.checkpoints.complete = async () => {};
  await world.runtime.advance(1000);
  assert.deepEqual([emitted(), pending(), acked], [25, 0, Array.from({ length: 25 }, (_, i) => i)]);
  await running.kill();
});

test('where as many messages are pending as may be, the checkpoint that acks them does not take its time', async () => {
  const world = new World();
  const { built, acked } = queue(100);
  const running = await world.start(built, { interval: 60_000 });
  await world.runtime.advance(10);
  assert.equal(acked.length, 100);
  await running.kill();
});

test('a queue that has ended needs no acks to end its topology', async () => {
  const world = new World();
  const acked: unknown[] = [];
  const once = spout({
    emits: type<string>(),
    open: ({ emit, end }) => ({
      nextTuple() {
        emit('m', 1);
        end();
        return false;
      },
      ack: (id) => void acked.push(id),
    }),
  });
  const built = topology('once', (t) => {
    t.bolt(
      'count',
      t.spout('queue', once).keyBy((w) => w),
      counting(),
    );
  });
  const running = await world.start(built, { interval: 60_000 });
  await world.runtime.advance(10);
  assert.deepEqual([running.state, acked], ['completed', [1]]);
});

test('a source that cannot note how far it is keeps nobody from going on, and notes it later', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input: string[] = words(3);
  const source = new ArraySource(type<string>(), { s: input }, true);
  const { committed } = source;
  let away = true;
  committed.set = (split, position) => {
    if (away) throw new Error('the coordinator is away');
    return Map.prototype.set.call(committed, split, position) as typeof committed;
  };
  const running = await world.start(wordCount(source, table));
  await world.runtime.advance(1100);
  assert.deepEqual([running.state, table.rows.length, committed.size], ['active', 3, 0]);
  assert.ok(world.log.some((line) => line.includes('the coordinator is away')));
  away = false;
  input.push('a');
  source.wake();
  await world.runtime.advance(1100);
  assert.deepEqual([...committed], [['s', 4]]);
  away = true;
  input.push('b');
  source.wake();
  await world.runtime.advance(10);
  // A stop says what is not as it should be.
  await assert.rejects(world.runtime.until(running.stop()), { code: 'MR_SOURCE' });
  assert.equal(table.rows.length, 5);
});

test('a split that its source does not name at one start is there with its position at a later one', async () => {
  const world = new World();
  const table = new Table<string>();
  const copy = (splits: { readonly [split: string]: readonly string[] }) => {
    const source = new ArraySource(type<string>(), splits, true);
    const built = topology('copy', (t) => {
      t.sink('table', t.spout('words', source.spout).shuffle(), table.sink);
    });
    return { source, built };
  };
  for (const splits of [{ a: ['a1'], b: ['b1'] }, { a: ['a1', 'a2'] }, { a: ['a1', 'a2'], b: ['b1', 'b2'] }] as const) {
    const running = await world.start(copy(splits as never).built);
    await world.runtime.until(running.stop());
  }
  assert.deepEqual([...table.rows].sort(), ['a1', 'a2', 'b1', 'b2']);
});

test('where a split begins is in the checkpoint before it has given anything', async () => {
  const world = new World();
  const table = new Table<string>();
  const late = logSpout({
    emits: type<string>(),
    splits: () => ['s'],
    open: () => ({
      seek: () => 41,
      pause() {},
      resume() {},
      next: () => false,
      commit: async () => {},
    }),
  });
  const built = topology('late', (t) => {
    t.sink('table', t.spout('words', late).shuffle(), table.sink);
  });
  const running = await world.start(built);
  await world.runtime.until(running.stop());
  assert.equal(world.checkpoints.newest!.info.facts.sources.words?.s?.position, 41);
});
