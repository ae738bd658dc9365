import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileStorage } from '@millrace/broker';
import { FaultyStorage } from '@millrace/broker/testing';
import type { Storage } from '../../runtime/storage.ts';
import { driveEpochs } from '../drive.ts';
import { epochWriterSuite } from '../epoch-writer-suite.fixture.ts';
import { filesSink } from './files-sink.ts';

const FOLDER = '/data/out';

/** What a reader of the folder finds in the files there, in the order of their names. */
function linesIn(names: readonly string[], read: (name: string) => string): string[] {
  const files = names.filter((name) => !name.startsWith('.')).sort();
  return files.flatMap((name) => read(name).split('\n').slice(0, -1));
}

epochWriterSuite('filesSink on the real disk', () => {
  const above = mkdtempSync(join(tmpdir(), 'millrace-files-'));
  const folder = join(above, 'a', 'b');
  const storage = fileStorage();
  let broken = false;
  const breaking = {
    ...storage,
    rename(from: string, to: string) {
      if (broken) throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
      storage.rename(from, to);
    },
  };
  return {
    sink: filesSink<string>(folder),
    options: { resources: { storage: breaking } },
    visible: () => linesIn(readdirSync(folder), (name) => readFileSync(join(folder, name), 'utf8')),
    break: () => {
      broken = true;
      return () => {
        broken = false;
      };
    },
    close: () => rmSync(above, { recursive: true }),
  };
});

epochWriterSuite('filesSink on a disk that fills up', () => {
  const storage = new FaultyStorage();
  return {
    sink: filesSink<string>(FOLDER),
    options: { resources: { storage } },
    visible: () => linesIn(storage.list(FOLDER), (name) => String(storage.bytesOf(`${FOLDER}/${name}`))),
    break: () => {
      storage.failWrite = (path) => path.includes('-0000000002.');
      return () => {
        storage.failWrite = () => false;
      };
    },
  };
});

const epoch = (incarnation: number, number: number) => ({ incarnation, number });

async function claimed(storage: FaultyStorage, incarnation: number) {
  const writer = await driveEpochs(filesSink<string>(FOLDER), { resources: { storage } });
  const last = await writer.claim(incarnation);
  return { last, publish: writer.publish };
}

const filesOf = (storage: FaultyStorage) => storage.list(FOLDER).filter((name) => !name.startsWith('.'));
const CLAIMED = { code: 'MR_SINK_CLAIMED' };

test('names sort as epochs do, and say whose they are', async () => {
  const storage = new FaultyStorage();
  const first = await claimed(storage, 9);
  await first.publish(epoch(9, 99), ['a']);
  await first.publish(epoch(9, 100), ['b']);
  const second = await claimed(storage, 10);
  await second.publish(epoch(10, 7), ['c']);
  assert.deepEqual(filesOf(storage).sort(), [
    'driven@driven-000009-0000000099.txt',
    'driven@driven-000009-0000000100.txt',
    'driven@driven-000010-0000000007.txt',
  ]);
});

test('what a consumer has taken away does not come back', async () => {
  const storage = new FaultyStorage();
  const { publish } = await claimed(storage, 1);
  await publish(epoch(1, 1), ['a']);
  storage.remove(`${FOLDER}/${filesOf(storage)[0]}`);
  await publish(epoch(1, 1), ['a']);
  await assert.rejects(claimed(storage, 1), CLAIMED);
  const next = await claimed(storage, 2);
  assert.deepEqual(next.last, epoch(1, 1));
  await next.publish(epoch(1, 1), ['a']);
  assert.deepEqual(filesOf(storage), []);
});

test('and still keeps out a start that counts from below it', async () => {
  const storage = new FaultyStorage();
  await (await claimed(storage, 1)).publish(epoch(6, 1), ['a']);
  storage.remove(`${FOLDER}/${filesOf(storage)[0]}`);
  for (const incarnation of [2, 6]) await assert.rejects(claimed(storage, incarnation), CLAIMED);
  assert.deepEqual((await claimed(storage, 7)).last, epoch(6, 1));
});

test('nor when the sync that follows the rename failed, and the epoch is tried again', async () => {
  const storage = new FaultyStorage();
  const { publish } = await claimed(storage, 1);
  storage.failSync = (path) => path === FOLDER && filesOf(storage).length > 0;
  await assert.rejects(publish(epoch(1, 1), ['a']), { code: 'MR_FILE_WRITE', retriable: true, message: /EIO/ });
  storage.remove(`${FOLDER}/${filesOf(storage)[0]}`);
  await publish(epoch(1, 1), ['a']);
  assert.deepEqual(filesOf(storage), []);
});

test('a whole file whose mark failed to be synced is not written again: it may be the one that is published', async () => {
  const storage = new FaultyStorage();
  const { publish } = await claimed(storage, 1);
  storage.failSync = (path) => path.endsWith('/1');
  await assert.rejects(publish(epoch(1, 1), ['a']), { code: 'MR_FILE_WRITE' });
  storage.failSync = () => false;
  storage.failWrite = (path) => path.includes('-0000000001');
  await publish(epoch(1, 1), ['a']);
  assert.equal(String(storage.bytesOf(`${FOLDER}/${filesOf(storage)[0]}`)), 'a\n');
});

/** A disk on which epoch 1.1 is marked and still hidden: its writer died before the rename. */
async function markedAndHidden(): Promise<FaultyStorage> {
  const storage = new FaultyStorage();
  const writer = await driveEpochs(filesSink<string>(FOLDER), { resources: { storage: dyingAtRename(storage) } });
  await writer.claim(1);
  await assert.rejects(writer.publish(epoch(1, 1), ['a']));
  assert.deepEqual(filesOf(storage), []);
  return storage;
}

function dyingAtRename(storage: FaultyStorage): Storage {
  const rename = () => {
    throw new Error('it is dead');
  };
  return { ...methodsOf(storage), rename };
}

function methodsOf(storage: FaultyStorage): Storage {
  return {
    open: (path, create) => storage.open(path, create),
    createNew: (path) => storage.createNew(path),
    list: (directory) => storage.list(directory),
    makeDirectory: (path) => storage.makeDirectory(path),
    rename: (from, to) => storage.rename(from, to),
    remove: (path) => storage.remove(path),
    syncDirectory: (path) => storage.syncDirectory(path),
  };
}

test('a marked file that another claimant takes at the same time, and then dies, is found and published', async () => {
  const disk = await markedAndHidden();
  let taken = false;
  const storage: Storage = {
    ...methodsOf(disk),
    rename(from, to) {
      if (!taken) disk.rename(from, from.replace(/\.1$/, '.1.2'));
      taken = true;
      disk.rename(from, to);
    },
  };
  const third = await driveEpochs(filesSink<string>(FOLDER), { resources: { storage } });
  assert.deepEqual(await third.claim(3), epoch(1, 1));
  assert.equal(filesOf(disk).length, 1);
});

test('a marked file that one list leaves out, as it may while names change, is found and published', async () => {
  const disk = await markedAndHidden();
  let lists = 0;
  const storage: Storage = {
    ...methodsOf(disk),
    list: (path) => disk.list(path).filter((name) => path !== FOLDER || !name.endsWith('.1') || ++lists !== 2),
  };
  const second = await driveEpochs(filesSink<string>(FOLDER), { resources: { storage } });
  assert.deepEqual(await second.claim(2), epoch(1, 1));
  assert.equal(filesOf(disk).length, 1);
  assert.equal(lists, 3, 'the list for what is visible, the one that leaves it out, and one more');
});

test('a mark that was torn is none: the one before it counts', async () => {
  const storage = new FaultyStorage();
  const { publish } = await claimed(storage, 1);
  await publish(epoch(1, 1), ['a']);
  await publish(epoch(1, 2), ['b']);
  for (const name of filesOf(storage)) storage.remove(`${FOLDER}/${name}`);
  const marks = storage.open(`${FOLDER}/.driven@driven/1`, false);
  marks.write(Buffer.from('1 3'), 0);
  assert.deepEqual((await claimed(storage, 2)).last, epoch(1, 1));
});

test('where the marks were removed the files still say what was published, and keep a start that counts anew out', async () => {
  const storage = new FaultyStorage();
  await (await claimed(storage, 3)).publish(epoch(3, 1), ['a']);
  storage.remove(`${FOLDER}/.driven@driven/3`);
  storage.remove(`${FOLDER}/.driven@driven`);
  for (const incarnation of [1, 3]) await assert.rejects(claimed(storage, incarnation), CLAIMED);
  assert.deepEqual((await claimed(storage, 4)).last, epoch(3, 1));
  storage.remove(`${FOLDER}/${filesOf(storage)[0]}`);
  assert.deepEqual((await claimed(storage, 5)).last, epoch(3, 1), 'and it is marked again');
});

test('a folder that a large epoch is published to holds nothing else, and sinks may share one', async () => {
  const storage = new FaultyStorage();
  const { publish } = await claimed(storage, 1);
  const many = Array.from({ length: 10_000 }, (_, i) => `line ${i}`);
  await publish(epoch(1, 1), many);
  const other = await driveEpochs(filesSink<string>(FOLDER, { extension: 'csv' }), {
    resources: { storage },
    component: 'other',
  });
  assert.equal(await other.claim(1), undefined);
  await other.publish(epoch(1, 1), ['x']);
  assert.deepEqual(storage.list(FOLDER).toSorted(), [
    '.driven@driven',
    '.other@driven',
    'driven@driven-000001-0000000001.txt',
    'other@driven-000001-0000000001.csv',
  ]);
  assert.equal(String(storage.bytesOf(`${FOLDER}/driven@driven-000001-0000000001.txt`)), `${many.join('\n')}\n`);
});
