import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStorage } from '@millrace/broker/testing';
import type { Epoch } from '../topology/epoch.ts';
import type { Key } from '../topology/key.ts';
import { DIRECTORY, open, outputsOf, started, stateOf, write } from './checkpoints.fixture.ts';

const path = (name: string) => `${DIRECTORY}/${name}`;
const all = (...keys: readonly Key[]) => new Map<Key, string>(keys.map((key) => [key, `${key}!`]));

/** Four checkpoints; the last stands on the first, the third on another component of it; two have outputs. */
async function four(): Promise<{ readonly storage: FaultyStorage; readonly epoch: Epoch }> {
  const storage = new FaultyStorage();
  const { store } = await started(storage, { retain: 4 });
  let epoch: Epoch | undefined;
  for (let n = 1; n <= 4; n++) {
    const state = n === 1 ? { a: all('x', 'y', 1n, true), b: all(7) } : { a: all(n), b: n === 3 ? all(8) : new Map() };
    const outputs = n === 2 || n === 4 ? { out: [`of ${n}`, ''] } : {};
    ({ epoch } = await write(store, n, { what: n === 1 ? 'all' : 'changes', state, outputs, parent: epoch }));
  }
  await store.close();
  return { storage, epoch: epoch! };
}

/** All that a start does with what it finds. */
async function startOn(storage: FaultyStorage): Promise<void> {
  const { store } = open(storage);
  const completed = await store.completed();
  const saved = await store.read(completed[0]!.epoch);
  stateOf(saved, 'a');
  outputsOf(saved, 'out');
}

async function refusal(storage: FaultyStorage): Promise<Error & { code?: string }> {
  try {
    await startOn(storage);
  } catch (error) {
    return error as Error;
  }
  return assert.fail('nothing was noticed');
}

const name = (number: number) => `00000001-0000000${number}.checkpoint`;

test('any byte of the newest checkpoint that is not as it was written stops the start, and the file is named', async () => {
  const { storage } = await four();
  const { length } = storage.bytesOf(path(name(4)));
  for (let at = 0; at < length; at++) {
    storage.flip(path(name(4)), at);
    const error = await refusal(storage);
    assert.equal(error.code, 'MR_CHECKPOINT_CORRUPT', `byte ${at}: ${error.stack}`);
    assert.ok(error.message.includes(path(name(4))), error.message);
    storage.flip(path(name(4)), at);
  }
  await startOn(storage);
});

test('any byte that matters of the files that it stands on is noticed as well', async () => {
  const { storage } = await four();
  for (const number of [1, 2, 3]) {
    const { length } = storage.bytesOf(path(name(number)));
    for (let at = 0; at < length; at++) {
      storage.flip(path(name(number)), at);
      if (number === 2 && (await isInOutputs(storage, at))) {
        // Its outputs are for whoever reads that one.
        await startOn(storage);
        const { store } = open(storage);
        await assert.rejects(store.read({ incarnation: 1, number: 2 }), { code: 'MR_CHECKPOINT_CORRUPT' });
      } else {
        const error = await refusal(storage);
        assert.equal(error.code, 'MR_CHECKPOINT_CORRUPT', `byte ${at} of ${number}: ${error.stack}`);
        assert.ok(error.message.includes(path(name(number))), error.message);
      }
      storage.flip(path(name(number)), at);
    }
  }
  await startOn(storage);
});

/** The entries are 'of 2' and '', each behind its length. */
async function isInOutputs(storage: FaultyStorage, at: number): Promise<boolean> {
  storage.flip(path(name(2)), at);
  const from = storage.bytesOf(path(name(2))).indexOf('\x04of 2\x00');
  storage.flip(path(name(2)), at);
  return at >= from && at < from + 6;
}

test('a file that was cut short, lost, or replaced by another is noticed', async () => {
  const wrong: readonly (readonly [number, RegExp, (storage: FaultyStorage) => void])[] = [
    [4, /: it ends at|: it has \d+ bytes|are not what was written/, (storage) => cut(storage, name(4), -1)],
    [4, /: it has 5 bytes, and was longer/, (storage) => cut(storage, name(4), 5)],
    [4, /: it has 0 bytes, and was longer/, (storage) => cut(storage, name(4), 0)],
    [1, /: it is not there/, (storage) => storage.remove(path(name(1)))],
    [2, /: it is not there/, (storage) => storage.remove(path(name(2)))],
    [1, /: it is not the file that checkpoint 1\.4 goes on from/, (storage) => copy(storage, name(3), name(1))],
    [4, /: it ends at|: it has \d+ bytes|first or its last bytes/, (storage) => append(storage, name(4))],
    [4, /: it has \d+ bytes before its manifest, which tells of \d+/, (storage) => insert(storage, name(4))],
  ];
  for (const [number, message, spoil] of wrong) {
    const { storage } = await four();
    spoil(storage);
    const error = await refusal(storage);
    assert.equal(error.code, 'MR_CHECKPOINT_CORRUPT', error.stack);
    assert.ok(error.message.includes(path(name(number))), error.message);
    assert.match(error.message, message);
  }
});

/** Bytes between the last block and the manifest, which no checksum covers. */
function insert(storage: FaultyStorage, file: string): void {
  const bytes = storage.bytesOf(path(file));
  const at = bytes.length - 16 - bytes.readUInt32LE(bytes.length - 16);
  const opened = storage.open(path(file), false);
  opened.write(Buffer.concat([bytes.subarray(0, at), Buffer.from('xyz'), bytes.subarray(at)]), 0);
  opened.close();
}

function cut(storage: FaultyStorage, file: string, length: number): void {
  const opened = storage.open(path(file), false);
  opened.truncate(length < 0 ? opened.size() + length : length);
  opened.close();
}

function append(storage: FaultyStorage, file: string): void {
  const opened = storage.open(path(file), false);
  opened.write(Buffer.from('x'), opened.size());
  opened.close();
}

function copy(storage: FaultyStorage, from: string, to: string): void {
  cut(storage, to, 0);
  const opened = storage.open(path(to), false);
  opened.write(storage.bytesOf(path(from)), 0);
  opened.close();
}

test('the refusal says which older one can be read, of when it is, and what going on from it would double', async () => {
  const { storage } = await four();
  storage.flip(path(name(4)), 20);
  const older = '--from 1.3 goes on from the newest older one that can be read, of 1970-01-01T00:00:03.000Z';
  const message = (await refusal(storage)).message;
  assert.ok(
    message.startsWith(`checkpoint 1.4 was completed and cannot be read any more: ${path(name(4))}: `),
    message,
  );
  assert.ok(message.endsWith(`; ${older}, and what was published of the epoch after it comes a second time`), message);

  storage.flip(path(name(3)), 20);
  const both = (await refusal(storage)).message;
  assert.match(both, /--from 1\.2 goes .+, and what was published of the 2 epochs after it comes a second time$/);

  storage.flip(path(name(1)), 20);
  const none = (await refusal(storage)).message;
  assert.match(none, /no older one can be read: start from a savepoint with --from, or from nothing$/);
  assert.equal(storage.openFiles, 0);
});

test('whoever names an older checkpoint is not held up by a damaged one, which goes when the next is complete', async () => {
  const { storage } = await four();
  storage.flip(path(name(4)), storage.bytesOf(path(name(4))).length - 1);
  const { store } = open(storage, { retain: 4 });
  await store.claim();
  await assert.rejects(store.completed(), { code: 'MR_CHECKPOINT_CORRUPT' });
  const kept = await store.completed('left out');
  assert.deepEqual(
    kept.map((info) => info.epoch.number),
    [3, 2, 1],
  );
  const saved = await store.read(kept[0]!.epoch);
  assert.deepEqual(stateOf(saved, 'a'), all('x', 'y', 1n, true, 2, 3));
  saved.release();
  store.resume(kept[0]!.epoch);
  await write(store, 5, { state: { a: all('new') }, parent: kept[0]!.epoch });
  assert.deepEqual(
    (await store.completed()).map((info) => info.epoch.number),
    [5, 3, 2, 1],
  );
  assert.ok(!storage.list(DIRECTORY).includes(name(4)));
});

test('an older checkpoint whose outputs may not be published yet is needed', async () => {
  const storage = new FaultyStorage();
  const { store } = await started(storage);
  const one = await write(store, 1, { what: 'all', state: { a: all(1) }, outputs: { out: ['x'] } });
  await write(store, 2, { what: 'all', state: { a: all(2) }, parent: one.epoch });
  storage.flip(path(name(1)), storage.bytesOf(path(name(1))).length - 1);
  await assert.rejects(open(storage).store.completed(), {
    code: 'MR_CHECKPOINT_CORRUPT',
    message: /^checkpoint 1\.1 was completed .+ no older one can be read/,
  });
});

test('an older checkpoint that nothing needs may be damaged: the start goes on, and says so', async () => {
  const storage = new FaultyStorage();
  const { store } = await started(storage);
  const one = await write(store, 1, { what: 'all', state: { a: all(1) } });
  const two = await write(store, 2, { what: 'all', state: { a: all(2) }, parent: one.epoch });
  storage.flip(path(name(1)), storage.bytesOf(path(name(1))).length - 1);
  const next = await started(storage);
  assert.deepEqual(next.newest?.epoch, two.epoch);
  assert.deepEqual(next.lines, ['checkpoint 1.1 cannot be read any more; nothing needs it']);
});

test('damage that comes after a checkpoint was read is noticed when its keys are read', async () => {
  const { storage, epoch } = await four();
  const { store } = open(storage);
  const saved = await store.read(epoch);
  storage.flip(path(name(1)), 12);
  assert.throws(() => stateOf(saved, 'a'), { code: 'MR_CHECKPOINT_CORRUPT', message: /start again to be told what/ });
  storage.flip(path(name(1)), 12);
  storage.flip(path(name(4)), storage.bytesOf(path(name(4))).indexOf('of 4'));
  assert.throws(() => outputsOf(saved, 'out'), { code: 'MR_CHECKPOINT_CORRUPT' });
  assert.equal(storage.openFiles, 0);
});

test('a running topology that reads a checkpoint again checks it again', async () => {
  const { storage, epoch } = await four();
  const { store } = open(storage);
  await store.claim();
  (await store.read(epoch)).release();
  storage.flip(path(name(1)), 12);
  store.begin(5).abandon();
  await assert.rejects(store.read(epoch), { code: 'MR_CHECKPOINT_CORRUPT' });
});

test('a disk that cannot read is damage; one that opens no more files is not', async () => {
  const { storage, epoch } = await four();
  const realOpen = storage.open.bind(storage);
  storage.failOpen = () => true;
  await assert.rejects(open(storage).store.read(epoch), { code: 'EMFILE' });
  storage.failOpen = () => false;
  const { store } = open(storage);
  await store.completed();
  storage.open = (file, create) => ({
    ...realOpen(file, create),
    read() {
      throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
    },
  });
  await assert.rejects(store.read(epoch), {
    code: 'MR_CHECKPOINT_CORRUPT',
    message: /: the disk cannot read the bytes from 8 on: EIO: i\/o error; no older one can be read/,
  });
});
