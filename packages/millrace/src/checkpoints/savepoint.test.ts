import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStorage } from '@millrace/broker/testing';
import { seededRandom } from '../runtime/seeded-random.ts';
import type { Shapes } from '../state/shape.ts';
import type { Key } from '../topology/key.ts';
import { facts, keysOf, outputsOf, shapes, started, stateOf, write } from './checkpoints.fixture.ts';
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

test('a savepoint keeps state of several shapes apart, and what the newer says is gone is gone', async () => {
  const storage = new FaultyStorage();
  const { store } = await started(storage);
  const other: Shapes = { states: [], timers: [] };
  let { epoch } = await write(store, 1, {
    what: 'all',
    state: {
      a: new Map([
        ['x', '1'],
        ['y', '1'],
      ]),
    },
  });
  for (const [n, of] of [
    [2, shapes],
    [3, other],
    [4, other],
  ] as const) {
    const writer = store.begin(n);
    writer.state(
      'a',
      of,
      'changes',
      keysOf(
        new Map([
          [n === 3 ? 'x' : 'y', n === 3 ? undefined : `${n}`],
          [`${n}`, 'new'],
        ]),
      ),
    );
    if (n === 4) writer.state('a', of, 'changes', []);
    ({ epoch } = await writer.complete(facts(n, epoch)));
  }
  const saved = await store.read(epoch);
  await saveTo(saved, place(storage));
  const copy = await openSavepoint(place(storage));
  assert.deepEqual(stateOf(copy, 'a'), stateOf(saved, 'a'));
  assert.deepEqual(
    copy.state('a').map((part) => [part.what, part.shapes]),
    [
      ['all', shapes],
      ['changes', other],
    ],
  );
});

test('a savepoint is never replaced, and a half-written one is nobody’s', async () => {
  const storage = new FaultyStorage();
  const { saved } = await checkpoint(storage);
  await saveTo(saved, place(storage));
  const before = storage.bytesOf('/saved/here/savepoint');
  await assert.rejects(saveTo(saved, place(storage)), {
    code: 'MR_SAVEPOINT_EXISTS',
    message: /^\/saved\/here has a savepoint already/,
  });
  assert.deepEqual(storage.bytesOf('/saved/here/savepoint'), before);
  assert.deepEqual(storage.list('/saved/here'), ['savepoint']);

  const [one, other] = await Promise.allSettled([
    saveTo(saved, place(storage, '/two')),
    saveTo(saved, place(storage, '/two')),
  ]);
  assert.deepEqual([one.status, other.status], ['fulfilled', 'rejected']);
  await openSavepoint(place(storage, '/two'));

  storage.makeDirectory('/killed');
  storage.createNew('/killed/savepoint.part');
  await assert.rejects(saveTo(saved, place(storage, '/killed')), { code: 'MR_SAVEPOINT_EXISTS' });
  for (const directory of ['/killed', '/nowhere'])
    await assert.rejects(openSavepoint(place(storage, directory)), {
      code: 'MR_NO_SAVEPOINT',
      message: new RegExp(`^there is no savepoint in ${directory}`),
    });
});

test('what the disk refuses, or what is damaged, leaves no savepoint, and it can be asked for again', async () => {
  const storage = new FaultyStorage();
  const { store, saved, expected } = await checkpoint(storage);
  const refused = async (code: string) => {
    await assert.rejects(saveTo(saved, place(storage)), { code });
    assert.deepEqual(storage.list('/saved/here'), []);
  };
  storage.failWrite = (path) => path.startsWith('/saved');
  await refused('ENOSPC');
  storage.failWrite = () => false;
  storage.failSync = (path) => path.endsWith('.part');
  await refused('EIO');
  storage.failSync = (path) => path === '/saved/here';
  await refused('EIO');
  storage.failSync = () => false;
  const file = '/data/checkpoints/job/00000001-00000001.checkpoint';
  storage.flip(file, 30);
  await refused('MR_CHECKPOINT_CORRUPT');
  storage.flip(file, 30);
  await saveTo(saved, place(storage));
  assert.deepEqual(stateOf(await openSavepoint(place(storage)), 'count'), expected);
  await store.close();
  assert.equal(storage.openFiles, 0);
});

test('any byte of a savepoint that is not as it was written is noticed, and the file is named', async () => {
  const storage = new FaultyStorage();
  const { store } = await started(storage);
  const { epoch } = await write(store, 1, {
    what: 'all',
    state: { a: new Map([['x', '1']]) },
    outputs: { out: ['o'] },
  });
  await saveTo(await store.read(epoch), place(storage));
  const { length } = storage.bytesOf('/saved/here/savepoint');
  for (let at = 0; at < length; at++) {
    storage.flip('/saved/here/savepoint', at);
    await assert.rejects(openSavepoint(place(storage)), {
      code: 'MR_SAVEPOINT_CORRUPT',
      message: /: \/saved\/here\/savepoint: /,
    });
    storage.flip('/saved/here/savepoint', at);
  }
  await openSavepoint(place(storage));
});

test('a checkpoint that was copied as if it were a savepoint is refused', async () => {
  const storage = new FaultyStorage();
  const { store } = await checkpoint(storage);
  await store.close();
  storage.makeDirectory('/copied');
  const file = storage.open('/copied/savepoint', true);
  file.write(storage.bytesOf('/data/checkpoints/job/00000001-00000002.checkpoint'), 0);
  file.close();
  await assert.rejects(openSavepoint(place(storage, '/copied')), {
    code: 'MR_SAVEPOINT_CORRUPT',
    message: /it is no savepoint, but a checkpoint/,
  });
});

test('after a power cut at any operation a savepoint is there whole, or is not there', async () => {
  const prepared = async () => {
    const storage = new FaultyStorage();
    const made = await checkpoint(storage);
    await made.store.close();
    return { storage, ...made };
  };
  const first = await prepared();
  const before = first.storage.operations;
  await saveTo(first.saved, place(first.storage));
  const operations = first.storage.operations;
  assert.ok(operations - before >= 9, `${operations - before}`);
  for (let cutAt = before + 1; cutAt <= operations + 1; cutAt++) {
    for (const seed of [1, 2, 3, 4]) {
      const { storage, saved, expected } = await prepared();
      storage.cutAt = cutAt;
      const isDone = await saveTo(saved, place(storage)).then(
        () => true,
        (error: Error) => assert.equal(error.name, 'PowerCut', error.stack),
      );
      const found = storage.afterPowerCut(seededRandom(seed * 1000 + cutAt));
      try {
        assert.deepEqual(stateOf(await openSavepoint(place(found)), 'count'), expected);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'MR_NO_SAVEPOINT', (error as Error).stack);
        assert.notEqual(isDone, true, `a finished savepoint is gone: operation ${cutAt}, seed ${seed}`);
      }
    }
  }
});
