import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStorage } from '@millrace/broker/testing';
import type { Epoch } from '../topology/epoch.ts';
import type { Key } from '../topology/key.ts';
import { DIRECTORY, started, stateOf, write } from './checkpoints.fixture.ts';
import { turns } from './job.fixture.ts';

const merged = (storage: FaultyStorage) =>
  storage
    .list(DIRECTORY)
    .filter((name) => /merged/.test(name))
    .sort();

function values(first: number, count: number, text = 'value'): Map<Key, string> {
  return new Map(Array.from({ length: count }, (_, n) => [`key ${first + n}`, `${text} ${n}`]));
}

/** A base of many keys, which takes hundreds of turns to be merged, and a few changes on it. */
async function large(storage: FaultyStorage, changes: number) {
  const { store, lines } = await started(storage);
  const state = values(0, 20_000);
  let { epoch } = await write(store, 1, { what: 'all', state: { a: state } });
  const next = async (n: number, changed: Map<Key, string>) => {
    for (const [key, value] of changed) state.set(key, value);
    ({ epoch } = await write(store, n, { state: { a: changed }, parent: epoch }));
  };
  for (let n = 2; n < 2 + changes; n++) await next(n, values(n * 3000, 6000, `of ${n}`));
  return { store, lines, state, next, epoch: () => epoch };
}

test('checkpoints go on while a large merge does, smaller merges go before it, and chains stay short', async () => {
  const storage = new FaultyStorage();
  const { store, lines, state, next, epoch } = await large(storage, 4);
  await turns(40);
  assert.deepEqual(merged(storage), ['00000001-00000001.merged.part'], 'the large one is under way');
  const lengths: number[] = [];
  for (let n = 10; n < 50; n++) {
    await next(n, values(n * 5, 20, `of ${n}`));
    lengths.push((await store.read(epoch())).state('a').length);
    await turns(3);
  }
  assert.ok(
    merged(storage).some((name) => name === '00000001-00000002.merged'),
    'a smaller one came first',
  );
  assert.ok(Math.max(...lengths) <= 14, `${Math.max(...lengths)} parts`);
  await turns(600);
  await next(50, values(0, 1));
  const saved = await store.read(epoch());
  assert.ok(saved.state('a').length <= 9);
  assert.equal(saved.state('a')[0]!.what, 'all');
  assert.deepEqual(stateOf(saved, 'a'), state);
  assert.deepEqual(lines, []);
  await store.close();
  assert.equal(storage.openFiles, 0);
});

test('a merge whose state is replaced meanwhile is given up, and so is one at the end', async () => {
  const storage = new FaultyStorage();
  const { store, epoch } = await large(storage, 4);
  await turns(40);
  const last = await write(store, 6, { what: 'all', state: { a: values(0, 3), b: values(0, 1) }, parent: epoch() });
  await turns(5);
  assert.deepEqual(merged(storage), []);
  assert.deepEqual(stateOf(await store.read(last.epoch), 'a'), values(0, 3));
  assert.equal(storage.openFiles, 0);

  const other = new FaultyStorage();
  const closing = await large(other, 4);
  await turns(40);
  await closing.store.close();
  assert.deepEqual(merged(other), []);
  assert.equal(other.openFiles, 0);
});

test('parts that are being merged are left out of other merges', async () => {
  const storage = new FaultyStorage();
  const { store, next } = await large(storage, 4);
  await turns(20);
  for (let n = 6; n < 10; n++) await next(n, values(n * 3000, 6000, `of ${n}`));
  await turns(110);
  assert.deepEqual(merged(storage), ['00000001-00000001.merged.part', '00000001-00000002.merged']);
  await store.close();
});

test('what is merged of state that is replaced while the file gets its name is not put into the new state', async () => {
  const storage = new FaultyStorage();
  const { store } = await started(storage);
  let epoch: Epoch | undefined;
  const slow = Promise.withResolvers<void>();
  storage.syncTakes = (path) => (path.includes('.merged') ? slow.promise : undefined);
  for (let n = 1; n <= 4; n++)
    ({ epoch } = await write(store, n, {
      what: n === 1 ? 'all' : 'changes',
      state: { a: values(n, 1) },
      parent: epoch,
    }));
  await turns(5);
  ({ epoch } = await write(store, 5, { what: 'all', state: { a: values(50, 1) }, parent: epoch }));
  slow.resolve();
  await turns(5);
  ({ epoch } = await write(store, 6, { state: { a: values(60, 1) }, parent: epoch }));
  const saved = await store.read(epoch!);
  assert.deepEqual(stateOf(saved, 'a'), new Map([...values(50, 1), ...values(60, 1)]));
  assert.deepEqual(merged(storage), []);
});

test('a merged file is not taken for rubbish while it gets its name, however long that takes', async () => {
  const storage = new FaultyStorage();
  const { store } = await started(storage, { retain: 1 });
  let epoch: Epoch | undefined;
  const slow = Promise.withResolvers<void>();
  storage.syncTakes = (path) =>
    path === DIRECTORY && merged(storage).includes('00000001-00000001.merged') && epoch?.number === 4
      ? slow.promise
      : undefined;
  for (let n = 1; n <= 4; n++)
    ({ epoch } = await write(store, n, {
      what: n === 1 ? 'all' : 'changes',
      state: { a: values(n, 1) },
      parent: epoch,
    }));
  await turns(20);
  assert.deepEqual(merged(storage), ['00000001-00000001.merged']);
  const before = epoch;
  epoch = { incarnation: 1, number: 0 };
  ({ epoch } = await write(store, 5, { state: { a: values(5, 1) }, parent: before }));
  slow.resolve();
  await turns(20);
  ({ epoch } = await write(store, 6, { state: { a: values(6, 1) }, parent: epoch }));
  assert.deepEqual(merged(storage), ['00000001-00000001.merged']);
  const saved = await store.read(epoch!);
  assert.equal(saved.state('a').length, 3);
  assert.equal(stateOf(saved, 'a').size, 6);
});

test('a merge that ends while a checkpoint is being completed is for the next one, and stays until then', async () => {
  const storage = new FaultyStorage();
  const { store } = await started(storage, { retain: 1 });
  let epoch: Epoch | undefined;
  const next = async (n: number) => {
    ({ epoch } = await write(store, n, {
      what: n === 1 ? 'all' : 'changes',
      state: { a: values(n, 1) },
      parent: epoch,
    }));
  };
  for (let n = 1; n <= 4; n++) await next(n);
  const slow = Promise.withResolvers<void>();
  storage.syncTakes = (path) => (path.includes('-00000005.') ? slow.promise : undefined);
  const fifth = next(5);
  await turns(20);
  assert.deepEqual(merged(storage), ['00000001-00000001.merged']);
  slow.resolve();
  await fifth;
  assert.equal((await store.read(epoch!)).state('a').length, 5);
  await next(6);
  const saved = await store.read(epoch!);
  assert.equal(saved.state('a').length, 3);
  assert.equal(stateOf(saved, 'a').size, 6);
});

test('a start that was superseded merges no more', async () => {
  const storage = new FaultyStorage();
  const { lines, epoch } = await large(storage, 4);
  assert.ok(epoch());
  await turns(40);
  await started(storage);
  await turns(600);
  assert.deepEqual(merged(storage), []);
  assert.deepEqual(lines, [], 'its next checkpoint tells');
});
