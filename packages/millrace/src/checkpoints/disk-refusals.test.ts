import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStorage } from '@millrace/broker/testing';
import type { Epoch } from '../topology/epoch.ts';
import type { Key } from '../topology/key.ts';
import { DIRECTORY, started, stateOf, write } from './checkpoints.fixture.ts';
import { turns } from './job.fixture.ts';

const all = (...keys: readonly Key[]) => new Map<Key, string>(keys.map((key) => [key, `${key}!`]));
const files = (storage: FaultyStorage) => [...storage.list(DIRECTORY)].filter((name) => name !== 'claims').sort();

const refusals: Record<string, (storage: FaultyStorage) => string> = {
  'a full disk': (storage) => {
    storage.capacity = 20;
    return 'ENOSPC';
  },
  'a disk that takes nothing': (storage) => {
    storage.failWrite = () => true;
    return 'ENOSPC';
  },
  'a file that cannot be synced': (storage) => {
    storage.failSync = (path) => path.endsWith('.part');
    return 'EIO';
  },
  'a folder that cannot be synced': (storage) => {
    storage.failSync = (path) => path === DIRECTORY;
    return 'EIO';
  },
  'a process with too many open files': (storage) => {
    storage.failOpen = () => true;
    return 'EMFILE';
  },
};

for (const [what, refuse] of Object.entries(refusals)) {
  test(`${what} costs one checkpoint, and the next has all of it`, async () => {
    const storage = new FaultyStorage();
    const { store, lines } = await started(storage);
    const { epoch } = await write(store, 1, { what: 'all', state: { a: all('x') } });
    const code = refuse(storage);
    await assert.rejects(write(store, 2, { state: { a: all('y') }, parent: epoch }), { code });
    storage.capacity = Number.POSITIVE_INFINITY;
    storage.failWrite = storage.failSync = storage.failOpen = () => false;
    assert.deepEqual(files(storage), ['00000001-00000001.checkpoint'], 'nothing of it is left');
    assert.equal(storage.openFiles, 0);
    const next = await write(store, 3, { state: { a: all('y', 'z') }, parent: epoch });
    const again = await started(storage.afterPowerCut(() => 0.9));
    assert.deepEqual(again.newest?.epoch, next.epoch);
    assert.deepEqual(stateOf(again.saved!, 'a'), all('x', 'y', 'z'));
    assert.deepEqual(lines, []);
  });
}

test('old files that cannot be removed are told of once, and go when they can', async () => {
  const storage = new FaultyStorage();
  const { store, lines } = await started(storage, { retain: 1 });
  storage.failRemove = (path) => path.includes('-00000001.');
  let epoch: Epoch | undefined;
  for (let n = 1; n <= 4; n++)
    ({ epoch } = await write(store, n, { what: 'all', state: { a: all(n) }, parent: epoch }));
  assert.deepEqual(lines, [
    `${DIRECTORY}/00000001-00000001.checkpoint is not needed any more and could not be removed: EACCES: ${DIRECTORY}/00000001-00000001.checkpoint`,
  ]);
  assert.deepEqual(files(storage), ['00000001-00000001.checkpoint', '00000001-00000004.checkpoint']);
  storage.failRemove = () => false;
  await write(store, 5, { what: 'all', state: { a: all(5) }, parent: epoch });
  assert.deepEqual(files(storage), ['00000001-00000005.checkpoint']);
});

test('a merge that the disk refuses is told, costs nothing, and is made later', async () => {
  const storage = new FaultyStorage();
  const { store, lines } = await started(storage);
  storage.failWrite = (path) => path.includes('.merged');
  let { epoch } = await write(store, 1, { what: 'all', state: { a: all(1) } });
  const next = async (n: number) => {
    ({ epoch } = await write(store, n, { state: { a: all(n) }, parent: epoch }));
    await turns(10);
  };
  for (let n = 2; n <= 6; n++) await next(n);
  assert.deepEqual(lines, [
    "older state of 'a' could not be merged, which is tried again later: ENOSPC: /data/checkpoints/job/00000001-00000001.merged.part",
  ]);
  storage.failWrite = () => false;
  for (let n = 7; n <= 12; n++) await next(n);
  assert.equal(lines.length, 1);
  const saved = await store.read(epoch);
  assert.ok(saved.state('a').length < 6, 'merged');
  assert.deepEqual(stateOf(saved, 'a'), all(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
  assert.ok(!files(storage).some((name) => name.endsWith('.part')));
  assert.equal(storage.openFiles, 0);
});
