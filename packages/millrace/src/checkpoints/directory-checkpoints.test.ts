import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { FaultyStorage } from '@millrace/broker/testing';
import type { Shapes } from '../state/shape.ts';
import type { Epoch } from '../topology/epoch.ts';
import type { Key } from '../topology/key.ts';
import {
  DIRECTORY,
  disk,
  facts,
  keysOf,
  open,
  outputsOf,
  shapes,
  started,
  stateOf,
  write,
} from './checkpoints.fixture.ts';
import { turns } from './job.fixture.ts';

test('what was completed is there for the next start: state, outputs and facts', async () => {
  const storage = disk();
  const first = await started(storage);
  assert.equal(first.incarnation, 1);
  assert.equal(first.newest, undefined);
  const sources = {
    lines: {
      'a-0': { position: 17, newest: 1000, watermark: 900 },
      'a-1': { position: 0, newest: 0, watermark: -5 },
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

const all = (...keys: readonly Key[]) => new Map<Key, string>(keys.map((key) => [key, `${key}!`]));
const files = (storage: FaultyStorage) => [...storage.list(DIRECTORY)].filter((name) => name !== 'claims').sort();

test('a store that has not claimed writes nothing, and finds nothing where nobody has been', async () => {
  const storage = disk();
  const { store } = open(storage);
  assert.deepEqual(await store.completed(), []);
  assert.throws(() => store.begin(1), /before an incarnation is claimed/);
  assert.deepEqual(storage.list('/'), []);
});

test('of several that claim at once each gets a start of its own, larger than all before', async () => {
  const storage = disk();
  const claim = () => open(storage.shared()).store.claim();
  const claims = await Promise.all(Array.from({ length: 10 }, claim));
  assert.deepEqual(
    claims.toSorted((a, b) => a - b),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
  assert.equal(await claim(), 11);
  assert.deepEqual(storage.list(`${DIRECTORY}/claims`), ['00000011'], 'older ones are of no use');
});

test('a claim survives a power cut: its number is never given again', async () => {
  const storage = disk();
  assert.equal(await open(storage).store.claim(), 1);
  assert.equal(await open(storage.afterPowerCut(() => 0.9)).store.claim(), 2);
});

test('a number that was given before, and whose file is gone since, is not given again', async () => {
  const storage = disk();
  await open(storage).store.claim();
  const createNew = storage.createNew.bind(storage);
  storage.createNew = (path) => {
    storage.createNew = createNew;
    // Two others claim just now; the newer one removes the older one's file, which this one takes for free.
    createNew(`${DIRECTORY}/claims/00000003`);
    return createNew(path);
  };
  assert.equal(await open(storage).store.claim(), 4);
});

test('a number that another one takes at the same moment is left to it', async () => {
  const storage = disk();
  const createNew = storage.createNew.bind(storage);
  storage.createNew = (path) => {
    storage.createNew = createNew;
    createNew(path);
    return createNew(path);
  };
  assert.equal(await open(storage).store.claim(), 2);
});

test('what an older start has just given its name is durable once a newer one has found it', async () => {
  const storage = disk();
  const old = await started(storage);
  const first = await write(old.store, 1, { what: 'all', state: { a: all('x') } });
  const newer = open(storage).store;
  await newer.claim();
  // As if the old one had asked about claims just before, and were killed after its rename.
  storage.remove(`${DIRECTORY}/claims/00000002`);
  let isOldOnes = true;
  storage.syncTakes = (path) => {
    if (path !== DIRECTORY || !isOldOnes) return undefined;
    isOldOnes = false;
    return new Promise(() => {});
  };
  void write(old.store, 2, { state: { a: all('y') }, parent: first.epoch });
  await turns(5);
  storage.createNew(`${DIRECTORY}/claims/00000002`);
  const [found] = await newer.completed();
  assert.deepEqual(found?.epoch, { incarnation: 1, number: 2 });
  const next = await started(storage.afterPowerCut(() => 0.9));
  assert.deepEqual(next.newest?.epoch, found.epoch);
});

test('a start is newer than all that have left files, also where the claims were lost', async () => {
  const storage = disk();
  for (let n = 0; n < 3; n++)
    await write((await started(storage)).store, n + 1, { what: 'all', state: { a: all('x') } });
  storage.remove(`${DIRECTORY}/claims/00000003`);
  assert.equal((await started(storage)).incarnation, 4);
  assert.equal(await open(storage).store.claim(10), 11);
});

test('claims on the real disk, by several processes at once', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-claims-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const program = `
    const { openCheckpoints } = await import(${JSON.stringify(new URL('./directory-checkpoints.ts', import.meta.url))});
    const { fileStorage } = await import('@millrace/broker');
    const options = { storage: fileStorage(), directory: ${JSON.stringify(directory)}, topology: 'job', soon: setImmediate, log: console.error };
    for (let n = 0; n < 25; n++) console.log(await openCheckpoints(options).claim());`;
  const args = ['--conditions=@millrace/source', '--input-type=module', '--eval', program];
  const runs = Array.from({ length: 3 }, () =>
    promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname }),
  );
  const claims = (await Promise.all(runs)).map(({ stdout }) => stdout.trim().split('\n').map(Number));
  for (const own of claims)
    assert.deepEqual(
      own,
      own.toSorted((a, b) => a - b),
    );
  assert.equal(new Set(claims.flat()).size, 75, 'none was given twice');
});

test('what an older start completes after a newer one has claimed is refused, and leaves nothing', async () => {
  const storage = disk();
  const old = await started(storage);
  const { epoch } = await write(old.store, 1, { what: 'all', state: { a: all('x') } });
  const writer = old.store.begin(2);
  writer.state('a', shapes, 'changes', keysOf(all('y', 'x'.repeat(70_000))));
  assert.deepEqual(files(storage), ['00000001-00000001.checkpoint', '00000001-00000002.checkpoint.part']);
  const newer = await started(storage);
  assert.deepEqual(files(storage), ['00000001-00000001.checkpoint'], 'what is half-written goes');
  await assert.rejects(writer.complete(facts(2, epoch)), {
    code: 'MR_SUPERSEDED',
    message: /^'job' was started again elsewhere: this is start 1, and start 2 has taken over/,
  });
  assert.deepEqual(newer.newest?.epoch, epoch);
  await write(newer.store, 2, { state: { a: all('z') }, parent: epoch });
  assert.deepEqual(files(storage), ['00000001-00000001.checkpoint', '00000002-00000002.checkpoint']);
  assert.equal(storage.openFiles, 0);
});

/** Another start claims, and removes what is half-written, at the moment of the old one's rename. */
async function overtaken(retain: number, before: boolean) {
  const storage = disk();
  const old = await started(storage, { retain });
  const { epoch } = await write(old.store, 1, { what: 'all', state: { a: all('x', 'y') } });
  const rename = storage.rename.bind(storage);
  storage.rename = (from, to) => {
    if (!before) rename(from, to);
    storage.createNew(`${DIRECTORY}/claims/00000002`);
    if (before) storage.remove(from);
    if (before) rename(from, to);
  };
  const completed = write(old.store, 2, { what: 'all', state: { a: all('z') }, parent: epoch });
  return { storage, epoch, completed };
}

test('a start that was overtaken while it gave its checkpoint a name is told so', async () => {
  const { storage, epoch, completed } = await overtaken(3, true);
  await assert.rejects(completed, { code: 'MR_SUPERSEDED' });
  assert.deepEqual((await started(storage)).newest?.epoch, epoch);
});

test('a start that was overtaken removes nothing any more: the newer one may stand on it', async () => {
  const { storage, epoch, completed } = await overtaken(1, false);
  await completed;
  const newer = open(storage).store;
  assert.deepEqual(stateOf(await newer.read(epoch), 'a'), all('x', 'y'));
});

test('a start that claims while an older one removes what it does not need loses nothing', async () => {
  const storage = disk();
  const old = await started(storage, { retain: 1 });
  const { epoch } = await write(old.store, 1, { what: 'all', state: { a: all('x') } });
  const list = storage.list.bind(storage);
  storage.list = (directory) => {
    // The older one has looked at the claims already.
    if (directory === DIRECTORY) {
      storage.list = list;
      storage.createNew(`${DIRECTORY}/claims/00000002`);
      storage.createNew(`${DIRECTORY}/00000002-00000002.checkpoint.part`);
    }
    return list(directory);
  };
  await write(old.store, 2, { what: 'all', state: { a: all('y') }, parent: epoch });
  assert.deepEqual(files(storage), ['00000001-00000002.checkpoint', '00000002-00000002.checkpoint.part']);
});

test('what an older start completed too late is never restored once a newer one has completed something', async () => {
  const storage = disk();
  const old = await started(storage);
  const first = await write(old.store, 1, { what: 'all', state: { a: all('x') } });
  const newer = await started(storage);
  // As if it had asked about claims just before.
  storage.remove(`${DIRECTORY}/claims/00000002`);
  await write(old.store, 9, { what: 'all', state: { a: all('zombie') }, parent: first.epoch });
  storage.createNew(`${DIRECTORY}/claims/00000002`);
  const second = await write(newer.store, 2, { state: { a: all('y') }, parent: first.epoch });
  const next = await started(storage);
  assert.deepEqual(next.newest?.epoch, second.epoch);
  assert.deepEqual(stateOf(next.saved!, 'a'), all('x', 'y'));
  assert.deepEqual(files(storage), ['00000001-00000001.checkpoint', '00000002-00000002.checkpoint']);
});

test('a checkpoint is kept beside those that it goes on from, and not beside others', async () => {
  const { store } = await started(disk());
  const one = await write(store, 1, { what: 'all', state: { a: all(1) } });
  await write(store, 2, { what: 'all', state: { a: all(2) }, parent: one.epoch });
  await write(store, 3, { what: 'all', state: { a: all(3) }, parent: one.epoch });
  assert.deepEqual(
    (await store.completed()).map((info) => info.epoch.number),
    [3, 1],
  );
});

test('files of others are left alone', async () => {
  const storage = disk();
  const { store } = await started(storage);
  for (const name of ['notes.txt', '00000001-00000001.checkpoint.bak', '1-1.checkpoint'])
    storage.createNew(`${DIRECTORY}/${name}`);
  await write(store, 2, { what: 'all', state: { a: all('x') } });
  await started(storage);
  assert.deepEqual(files(storage), [
    '00000001-00000001.checkpoint.bak',
    '00000001-00000002.checkpoint',
    '1-1.checkpoint',
    'notes.txt',
  ]);
});

test('as many checkpoints are kept as asked for, and besides those with outputs that are not published', async () => {
  const storage = disk();
  const { store } = await started(storage, { retain: 2 });
  let epoch: Epoch | undefined;
  const numbers = async () => (await store.completed()).map((info) => info.epoch.number);
  for (let n = 1; n <= 6; n++) {
    const outputs = n === 3 || n === 4 || n === 6 ? { out: [`of ${n}`] } : {};
    ({ epoch } = await write(store, n, { what: 'all', state: { a: all(n) }, outputs, parent: epoch }));
  }
  assert.deepEqual(await numbers(), [6, 5, 4, 3]);
  store.published({ incarnation: 1, number: 3 });
  ({ epoch } = await write(store, 7, { what: 'all', state: { a: all(7) }, parent: epoch }));
  assert.deepEqual(await numbers(), [7, 6, 5, 4]);
  assert.deepEqual(outputsOf(await store.read({ incarnation: 1, number: 4 }), 'out'), ['of 4']);
  store.published({ incarnation: 1, number: 7 });
  store.published({ incarnation: 1, number: 5 });
  ({ epoch } = await write(store, 8, { what: 'all', state: { a: all(8) }, parent: epoch }));
  assert.deepEqual(await numbers(), [8, 7]);
});

test('outputs that are not published stay when a start begins with other state', async () => {
  const storage = disk();
  const first = await started(storage, { retain: 1 });
  const { epoch } = await write(first.store, 1, {
    what: 'all',
    state: { a: all(1) },
    outputs: { out: ['x'] },
    facts: { finished: true },
  });
  const { store } = open(storage, { retain: 1 });
  await store.claim();
  store.resume(undefined);
  const second = await write(store, 2, { what: 'all', state: { b: all(2) }, parent: epoch });
  assert.deepEqual(second.facts.parent, epoch);
  assert.deepEqual(
    (await store.completed()).map((info) => info.epoch.number),
    [2, 1],
  );
  assert.deepEqual(outputsOf(await store.read(epoch), 'out'), ['x']);
  assert.deepEqual((await store.read(second.epoch)).components, ['b']);
});

test('a start can go on from an older checkpoint: what came after it goes', async () => {
  const storage = disk();
  const first = await started(storage);
  let epoch: Epoch | undefined;
  for (let n = 1; n <= 3; n++)
    ({ epoch } = await write(first.store, n, {
      what: n === 1 ? 'all' : 'changes',
      state: { a: all(n) },
      parent: epoch,
    }));
  const { store } = open(storage);
  await store.claim();
  const kept = await store.completed('left out');
  assert.deepEqual(
    kept.map((info) => info.epoch.number),
    [3, 2, 1],
  );
  store.resume({ incarnation: 1, number: 2 });
  const back = await write(store, 4, { state: { a: all('new') }, parent: { incarnation: 1, number: 2 } });
  assert.deepEqual(stateOf(await store.read(back.epoch), 'a'), all(1, 2, 'new'));
  assert.deepEqual(
    (await store.completed()).map((info) => info.epoch.number),
    [4, 2, 1],
  );
  assert.deepEqual(
    files(storage).map((name) => name.slice(0, 17)),
    ['00000001-00000001', '00000001-00000002', '00000002-00000004'],
  );
});

test('a whole snapshot begins anew; a component without changes stays, one that is not named goes', async () => {
  const storage = disk();
  const { store } = await started(storage);
  const one = await write(store, 1, { what: 'all', state: { a: all('x', 'y'), b: all(1), c: all(2) } });
  const two = await write(store, 2, { state: { a: all('z'), b: new Map() }, parent: one.epoch });
  const three = await write(store, 3, { what: 'all', state: { a: all('only') }, parent: two.epoch });
  const saved = await store.read(two.epoch);
  assert.deepEqual([...saved.components], ['a', 'b']);
  assert.deepEqual(stateOf(saved, 'b'), all(1));
  assert.equal(saved.state('b').length, 1, 'nothing was added');
  assert.deepEqual([two.keys, three.keys], [1, 1]);
  const last = await store.read(three.epoch);
  assert.deepEqual(stateOf(last, 'a'), all('only'));
  assert.deepEqual(last.components, ['a']);
  assert.deepEqual(last.state('no such'), []);
});

test('the keys of several tasks come one after the other, and any range of key groups can be read', async () => {
  const storage = disk();
  const { store } = await started(storage);
  const values = new Map<Key, string>(Array.from({ length: 5000 }, (_, n) => [`key ${n}`, 'x'.repeat(n % 90)]));
  const keys = keysOf(values);
  const writer = store.begin(1);
  for (let at = 0; at < keys.length; at += 128) {
    writer.state('a', shapes, 'all', keys.slice(at, at + 128));
    writer.state('b', shapes, 'all', keys.slice(at, at + 1));
  }
  const { epoch } = await writer.complete(facts(1, undefined));
  const saved = await store.read(epoch);
  assert.deepEqual(stateOf(saved, 'a'), values);
  assert.equal(stateOf(saved, 'b').size, 40);
  for (const [from, to] of [
    [0, 1],
    [77, 130],
    [255, 256],
    [9, 9],
  ] as const) {
    const wanted = keys.filter(({ group }) => group >= from && group < to).map(({ key }) => key);
    assert.deepEqual([...stateOf(saved, 'a', from, to).keys()], wanted);
  }
});

test('tasks that disagree about whether a snapshot is of all are an error, not a loss', async () => {
  const { store } = await started(disk());
  const writer = store.begin(1);
  writer.state('a', shapes, 'all', []);
  assert.throws(() => writer.state('a', shapes, 'changes', []), /'a' gave snapshots of all and of changes/);
});

test('state of another shape is kept beside the older, each with its own', async () => {
  const storage = disk();
  const { store } = await started(storage, { retain: 1 });
  const other: Shapes = { states: [], timers: [{ name: 'due', domain: 'clock' }] };
  let { epoch } = await write(store, 1, { what: 'all', state: { a: all('x') } });
  for (let n = 2; n <= 12; n++) {
    const writer = store.begin(n);
    writer.state('a', n < 7 ? shapes : other, 'changes', keysOf(all(n)));
    ({ epoch } = await writer.complete(facts(n, epoch)));
    await turns(10);
  }
  const saved = await store.read(epoch);
  for (const part of saved.state('a')) {
    for (const { key } of part.keys(0, 256)) assert.equal(part.shapes.states.length, Number(key) >= 7 ? 0 : 1);
  }
  const shown = saved.state('a').map((part) => part.shapes.states.length);
  assert.deepEqual(
    shown,
    shown.toSorted((a, b) => b - a),
  );
  assert.ok(shown.length < 8, 'merged');
  assert.deepEqual(saved.state('a')[0]!.shapes, shapes);
  assert.deepEqual(saved.state('a').at(-1)!.shapes, other);
  assert.deepEqual(stateOf(saved, 'a'), all('x', 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
});

test('a checkpoint that was given up leaves nothing, and the next one has a larger number', async () => {
  const storage = disk();
  const { store } = await started(storage);
  const writer = store.begin(1);
  writer.state('a', shapes, 'all', keysOf(all('x', 'y'.repeat(70_000))));
  assert.throws(() => store.begin(2), /neither complete nor abandoned/);
  writer.abandon();
  assert.deepEqual(files(storage), []);
  assert.throws(() => store.begin(1), /was begun after 1/);
  const { epoch } = await write(store, 2, { what: 'all', state: { a: all('x') } });
  assert.deepEqual(stateOf(await store.read(epoch), 'a'), all('x'));
});

test('what is being read stays until it is released, whatever is completed meanwhile', async () => {
  const storage = disk();
  const first = await started(storage, { retain: 1 });
  const before = new Map<Key, string>([['a', '1']]);
  await write(first.store, 1, { what: 'all', state: { count: before } });
  const { store, saved } = await started(storage, { retain: 1 });
  const read = () => [...saved!.state('count')[0]!.keys(0, 256)].map(({ key }) => key);
  let parent = saved!.info.epoch;
  for (let number = 2; number < 6; number++)
    parent = (await write(store, number, { what: 'all', state: { count: before }, parent })).epoch;
  assert.deepEqual(read(), ['a']);
  saved!.release();
  await write(store, 6, { what: 'all', state: { count: before }, parent });
  assert.throws(read, { code: 'MR_CHECKPOINT_CORRUPT' });
});
