import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Key } from '../topology/key.ts';
import { disk, open, outputsOf, started, stateOf, write } from './checkpoints.fixture.ts';

test('what was completed is there for the next start: state, outputs and facts', async () => {
  const storage = disk();
  const first = await started(storage);
  assert.equal(first.incarnation, 1);
  assert.equal(first.newest, undefined);
  const sources = {
    lines: {
      'a-0': { position: 17, newest: 1000, watermark: 900 },
      __proto__x: { position: undefined, newest: Number.NEGATIVE_INFINITY, watermark: Number.POSITIVE_INFINITY },
    },
  };
  const info = await write(first.store, 1, {
    what: 'all',
    state: {
      count: new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
      empty: new Map(),
    },
    outputs: { topic: ['x', 'yy', ''], none: [] },
    facts: { sources, watermarks: { count: 900, other: Number.NEGATIVE_INFINITY } },
  });
  assert.deepEqual(info.epoch, { incarnation: 1, number: 1 });
  assert.equal(info.keys, 2);
  await write(first.store, 2, {
    state: {
      count: new Map([
        ['a', undefined],
        ['c', '3'],
      ]),
    },
    parent: info.epoch,
  });
  await first.store.close();

  const second = await started(storage.afterKill());
  assert.equal(second.incarnation, 2);
  assert.deepEqual(second.newest?.epoch, { incarnation: 1, number: 2 });
  const saved = second.saved!;
  assert.deepEqual(saved.components, ['count']);
  assert.deepEqual(
    stateOf(saved, 'count'),
    new Map<Key, string>([
      ['b', '2'],
      ['c', '3'],
    ]),
  );
  const completed = await second.store.completed();
  assert.deepEqual(
    completed.map(({ epoch }) => epoch.number),
    [2, 1],
  );
  assert.deepEqual(completed[1], info);
  const older = await second.store.read(info.epoch);
  assert.deepEqual(older.info, info);
  assert.deepEqual(info.facts.sources, sources);
  assert.deepEqual(info.facts.outputs, { topic: 3, none: 0 });
  assert.deepEqual(outputsOf(older, 'topic'), ['x', 'yy', '']);
  assert.deepEqual(outputsOf(older, 'none'), []);
  assert.deepEqual(outputsOf(older, 'no such sink'), []);
  assert.deepEqual(older.components, ['count', 'empty']);
  assert.deepEqual(stateOf(older, 'empty'), new Map());
  assert.equal(storage.openFiles, 0);
});

void open;
