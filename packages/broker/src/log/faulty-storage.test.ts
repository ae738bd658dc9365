import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStorage } from './faulty-storage.ts';

test('a sync that takes its time keeps what there was when it was called, at some moment before it ends', async () => {
  const disk = new FaultyStorage();
  const file = disk.open('/file', true);
  await disk.syncDirectory('/');
  const waiting: (() => void)[] = [];
  disk.syncTakes = () => new Promise((resolve) => waiting.push(resolve));
  file.write(Buffer.from('first'), 0);
  let done = false;
  const syncing = file.sync().then(() => {
    done = true;
  });
  file.write(Buffer.from('later'), 5);
  waiting.shift()!();
  await undefined;
  await undefined;
  assert.equal(done, false);
  assert.equal(disk.afterPowerCut(never).bytesOf('/file').toString(), 'first');
  waiting.shift()!();
  await syncing;
});

const never = () => 0;

test('a sync that was overtaken by a later one brings nothing old back', async () => {
  const disk = new FaultyStorage();
  const file = disk.open('/file', true);
  await disk.syncDirectory('/');
  const waiting: (() => void)[] = [];
  disk.syncTakes = () => new Promise((resolve) => waiting.push(resolve));
  file.write(Buffer.from('old'), 0);
  const slow = file.sync();
  file.write(Buffer.from('new'), 0);
  const fast = file.sync();
  const [slowly, ...rest] = waiting.splice(0);
  for (const go of rest) go();
  while (waiting.length === 0) await undefined;
  waiting.shift()!();
  await fast;
  slowly!();
  while (waiting.length === 0) await undefined;
  waiting.shift()!();
  await slow;
  assert.equal(disk.afterPowerCut(never).bytesOf('/file').toString(), 'new');
});

test('two processes share what is on the disk and who holds a lock, and nothing else', () => {
  const disk = new FaultyStorage();
  const other = disk.shared();
  disk.makeDirectory('/data');
  disk.failWrite = () => true;
  other.open('/data/file', true).write(Buffer.from('text'), 0);
  assert.equal(disk.bytesOf('/data/file').toString(), 'text');
  assert.throws(() => disk.open('/data/file', true).write(Buffer.from('text'), 0), { code: 'ENOSPC' });
  const lock = disk.lock('/data');
  assert.throws(() => other.lock('/data'), { code: 'DATA_DIRECTORY_LOCKED' });
  lock.release();
  other.lock('/data');
});

test('a file that was made shorter and longer again has zeros between', () => {
  const file = new FaultyStorage().open('/file', true);
  file.write(Buffer.from('abcdef'), 0);
  file.truncate(2);
  file.write(Buffer.from('g'), 5);
  const bytes = Buffer.alloc(6);
  file.read(bytes, 0);
  assert.deepEqual([...bytes], [...Buffer.from('ab\0\0\0g')]);
});
