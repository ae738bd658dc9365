import assert from 'node:assert/strict';
import { test } from 'node:test';
import { topology, type } from '../../index.ts';
import { ArraySource } from '../../testing/start-virtual.ts';
import { Table, World } from './pipeline.fixture.ts';

test('the source knows where the next start begins before the last checkpoint of all is complete', async () => {
  const world = new World();
  const table = new Table<string>();
  const input = ['a', 'b'];
  const source = new ArraySource(type<string>(), { s: input }, true, 5);
  const copy = topology('copy', (t) => t.sink('table', t.spout('read', source.spout).shuffle(), table.sink));
  const first = await world.start(copy, { interval: 60_000 });
  await world.runtime.until(first.checkpoint());
  input.push('c');
  source.wake();
  await world.runtime.advance(10);
  let noted: unknown;
  world.checkpoints.complete = async () => {
    noted ??= source.committed.get('s');
    await new Promise(() => {});
  };
  world.runtime.within(() => void first.stop({ drain: true }));
  await world.runtime.advance(50);
  assert.equal(noted, 3);
  await first.kill();
});

test('a drain that crashes before its last checkpoint is complete loses nothing that the source takes for done', async () => {
  for (const before of [0, 1]) {
    const world = new World();
    const table = new Table<string>();
    const source = new ArraySource(type<string>(), { s: ['a', 'b', 'c'] }, true);
    const copy = () => topology('copy', (t) => t.sink('table', t.spout('read', source.spout).shuffle(), table.sink));
    const first = await world.start(copy(), { interval: 60_000 });
    await world.runtime.advance(10);
    let left = before;
    world.checkpoints.complete = async () => {
      if (left-- <= 0) await new Promise(() => {});
    };
    world.runtime.within(() => void first.stop({ drain: true }));
    await world.runtime.advance(50);
    await first.kill();
    world.checkpoints.complete = async () => {};
    const again = await world.start(copy());
    await world.runtime.until(again.stop());
    assert.deepEqual(table.rows, ['a', 'b', 'c']);
  }
});
