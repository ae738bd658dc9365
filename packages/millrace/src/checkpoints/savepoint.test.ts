import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStorage } from '@millrace/broker/testing';
import type { Key } from '../topology/key.ts';
import { outputsOf, started, stateOf, write } from './checkpoints.fixture.ts';
import { openSavepoint, saveTo } from './savepoint.ts';

const place = (storage: FaultyStorage, directory = '/saved/here') => ({ storage, directory, soon: setImmediate });

async function checkpoint(storage: FaultyStorage) {
  const { store } = await started(storage);
  const state = new Map<Key, string>(Array.from({ length: 500 }, (_, n) => [`key ${n}`, `value ${n}`]));
  const first = await write(store, 1, { what: 'all', state: { count: state, none: new Map() } });
  const changes = new Map<Key, string | undefined>([
    ['key 3', undefined],
    ['key 4', 'changed'],
    ['new', 'x'],
  ]);
  const { epoch } = await write(store, 2, {
    state: { count: changes, none: new Map() },
    outputs: { topic: ['a', 'b'] },
    parent: first.epoch,
  });
  state.delete('key 3');
  const expected = new Map([...state, ['key 4', 'changed'], ['new', 'x']] as [Key, string][]);
  return { store, saved: await store.read(epoch), expected };
}

test('a savepoint is the checkpoint, whole, and needs nothing of the store', async () => {
  const storage = new FaultyStorage();
  const { saved, expected } = await checkpoint(storage);
  await saveTo(saved, place(storage));
  const elsewhere = new FaultyStorage();
  elsewhere.makeDirectory('/copy');
  const file = elsewhere.open('/copy/savepoint', true);
  file.write(storage.bytesOf('/saved/here/savepoint'), 0);
  file.close();
  const copy = await openSavepoint(place(elsewhere, '/copy'));
  assert.deepEqual(copy.info.epoch, saved.info.epoch);
  assert.deepEqual(copy.info.facts, saved.info.facts);
  assert.deepEqual(copy.components, ['count', 'none']);
  assert.deepEqual(stateOf(copy, 'count'), expected);
  assert.equal(copy.state('count').length, 1, 'merged');
  assert.ok([...copy.state('count')[0]!.keys(0, 256)].every(({ data }) => data !== undefined));
  assert.deepEqual(outputsOf(copy, 'topic'), ['a', 'b']);
  assert.equal(storage.openFiles + elsewhere.openFiles, 0);
});
