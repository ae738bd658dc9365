import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError } from '../../errors.ts';
import { logSpout, topology, type } from '../../index.ts';
import { ArraySource } from '../../testing/start-virtual.ts';
import { counting, Table, World, wordCount, words } from './pipeline.fixture.ts';

test('an older instance that is still alive can neither complete nor publish', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input = words(3);
  const old = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  let refused: unknown;
  old.done.catch((thrown: unknown) => {
    refused = thrown;
  });
  // Its publication is under way when the other one takes over.
  let goOn = () => {};
  table.publishing = () => new Promise<void>((resolve) => (goOn = resolve));
  await world.runtime.advance(150);
  table.publishing = () => {};
  const next = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.advance(10);
  assert.equal(table.rows.length, 3);
  goOn();
  await world.runtime.advance(200);
  assert.equal((refused as { code: string }).code, 'MR_SINK_CLAIMED');
  assert.deepEqual([table.rows.length, next.state], [3, 'active']);
  await next.kill();
});

test('an older instance whose checkpoint comes too late stops', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input = words(3);
  const old = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  const next = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await assert.rejects(world.runtime.until(old.done), { code: 'MR_SUPERSEDED' });
  await world.runtime.advance(150);
  assert.deepEqual([table.rows.length, next.state], [3, 'active']);
  await next.kill();
});

test('a run without checkpoints is refused where there are some to go on from', async () => {
  const world = new World();
  const table = new Table<string>();
  const copy = () =>
    topology('copy', (t) => {
      t.sink(
        'table',
        t.spout('words', new ArraySource(type<string>(), { s: words(3) }, true).spout).shuffle(),
        table.sink,
      );
    });
  const first = await world.start(copy());
  await world.runtime.until(first.stop());
  await assert.rejects(world.start(copy(), { guarantee: 'at-least-once' }), { code: 'MR_CHECKPOINTS_KEPT' });
  const again = await world.start(copy());
  await world.runtime.until(again.stop({ drain: true }));
  const free = await world.start(copy(), { guarantee: 'at-least-once' });
  await world.runtime.until(free.stop());
});

test('a sink that has published more than is kept stops the start', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input = words(3);
  const start = () => world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  const first = await start();
  await world.runtime.advance(150);
  input.push('a');
  await first.kill();
  const second = await start();
  await world.runtime.advance(150);
  await second.kill();
  world.checkpoints.completed.pop();
  await assert.rejects(start(), { code: 'MR_CHECKPOINT_BEHIND' });
});

test('what is saved as changes is whole again after the third start, also under another name', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input: string[] = words(3);
  const named = (id: string) =>
    topology('words', (t) => {
      const read = t.spout('words', new ArraySource(type<string>(), { s: input }, true).spout);
      t.sink(
        'table',
        t
          .bolt(
            id,
            read.keyBy((w) => w),
            counting(),
          )
          .shuffle(),
        table.sink,
      );
    });
  for (const [id, more, renamed] of [
    ['count', [], []],
    ['count', ['a'], []],
    ['tally', ['b'], [['count', 'tally']]],
    ['tally', ['c'], []],
    ['tally', ['a', 'b', 'c'], []],
  ] as const) {
    input.push(...more);
    const running = await world.start(named(id), { take: { renamed: new Map(renamed) } });
    await world.runtime.advance(150);
    await running.kill();
  }
  const counts = table.rows.slice(-3).map(({ word, count }) => `${word}${count}`);
  assert.deepEqual(counts, ['a3', 'b3', 'c3']);
});

test('epochs of several starts that were never published are published in their order', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input: string[] = ['a'];
  table.publishing = () => new Promise(() => {});
  for (let i = 0; i < 2; i++) {
    const source = new ArraySource(type<string>(), { s: input }, true);
    const running = await world.start(wordCount(source, table));
    await world.runtime.advance(150);
    input.push('a');
    source.wake();
    await world.runtime.advance(100);
    await running.kill();
    input.push('a');
  }
  table.publishing = () => {};
  const last = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.until(last.stop());
  assert.deepEqual(
    table.rows.map(({ count }) => count),
    [1, 2, 3, 4, 5],
  );
  assert.deepEqual(
    table.epochs.map(({ incarnation, number }) => `${incarnation}.${number}`),
    ['1.1', '2.4', '3.5'],
  );
});

test('what an older instance completes and publishes while it is being taken over from is seen', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input: string[] = ['a'];
  const source = new ArraySource(type<string>(), { s: input }, true);
  const old = await world.start(wordCount(source, table));
  await world.runtime.advance(150);
  // The store's claim is made and the sink's is not yet, when a checkpoint that was begun before is completed.
  let complete = () => {};
  world.checkpoints.complete = () => new Promise<void>((resolve) => (complete = resolve));
  input.push('a');
  source.wake();
  await world.runtime.advance(100);
  table.claiming = async () => {
    world.checkpoints.claims--;
    complete();
    await new Promise((resolve) => setTimeout(resolve, 10));
    world.checkpoints.claims++;
    world.checkpoints.complete = async () => {};
  };
  const next = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.advance(150);
  assert.deepEqual(
    table.rows.map(({ count }) => count),
    [1, 2],
  );
  await Promise.all([old.kill(), next.kill()]);
});

test('where the checkpoints were deleted a topology begins anew, and its sinks know it as the newest start', async () => {
  const table = new Table<{ word: string; count: number }>();
  const start = (world: World) => world.start(wordCount(new ArraySource(type<string>(), { s: words(3) }, true), table));
  const before = new World();
  for (let i = 0; i < 3; i++) await before.runtime.until((await start(before)).stop());
  const anew = new World();
  const running = await start(anew);
  await anew.runtime.until(running.stop());
  assert.deepEqual([table.rows.length, table.epochs.at(-1)], [6, { incarnation: 4, number: 1 }]);
  assert.ok(anew.log.some((line) => line.includes('has published epoch 1.1 before')));
});

test('state that cannot be read any more when its turn comes ends the topology, and nothing beside it', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input: string[] = words(9);
  const first = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.advance(150);
  await first.kill();
  for (const parts of world.checkpoints.newest!.parts.values())
    for (const part of parts)
      Object.assign(part, {
        keys() {
          throw new MillraceError('MR_CHECKPOINT_CORRUPT', ['1.1', 'a file', 'it is not there', 'no other']);
        },
      });
  const second = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  const ended = assert.rejects(second.done, { code: 'MR_CHECKPOINT_CORRUPT' });
  await world.runtime.advance(10);
  await ended;
});

for (const [retriable, state] of [
  [true, 'active'],
  [false, 'failed'],
] as const) {
  test(`a source that cannot note how far it is done, retriable: ${retriable}, leaves the topology ${state}`, async () => {
    const world = new World();
    const table = new Table<string>();
    const refusing = logSpout<string>({
      emits: type<string>(),
      splits: () => ['s'],
      open: (task) => {
        let given = false;
        return {
          seek() {},
          pause() {},
          resume() {},
          next() {
            if (!given) task.emit('s', 0, 1, 'a', 0);
            given = true;
            return false;
          },
          commit: () => Promise.reject(Object.assign(new Error('the disk is gone'), { retriable })),
        };
      },
    });
    const running = await world.start(
      topology('refused', (t) => t.sink('table', t.spout('one', refusing).shuffle(), table.sink)),
    );
    await world.runtime.advance(500);
    assert.equal(running.state, state);
    await running.kill();
  });
}

test('older checkpoints that were brought back are refused by what the sinks have published, at the first start', async () => {
  const table = new Table<{ word: string; count: number }>();
  const world = new World();
  const input: string[] = words(3);
  const start = () => world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.until((await start()).stop());
  const backup = { completed: [...world.checkpoints.completed], claims: world.checkpoints.claims };
  for (let i = 0; i < 3; i++) {
    input.push('a');
    await world.runtime.until((await start()).stop());
  }
  world.checkpoints.completed.splice(0, Infinity, ...backup.completed);
  world.checkpoints.claims = backup.claims;
  await assert.rejects(start(), { code: 'MR_CHECKPOINT_BEHIND' });
});
