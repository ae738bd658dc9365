import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  announceControl,
  controlPlace,
  defaultDataDirectory,
  socketPath,
  takeDataDirectory,
} from './data-directory.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-data-'));
after(() => rmSync(folder, { recursive: true }));

test('it is beside the nearest package.json, or in the folder itself when there is none', () => {
  const inner = join(folder, 'app', 'src', 'deep');
  mkdirSync(inner, { recursive: true });
  assert.equal(defaultDataDirectory(inner), join(inner, '.millrace'));
  writeFileSync(join(folder, 'app', 'package.json'), '{}');
  assert.equal(defaultDataDirectory(inner), join(folder, 'app', '.millrace'));
});

test('one owner at a time; the second is told who has it', () => {
  const path = join(folder, 'owned');
  const data = takeDataDirectory(path);
  assert.throws(() => takeDataDirectory(path), { code: 'MR_DATA_IN_USE', message: new RegExp(`${process.pid}`) });
  assert.throws(() => takeDataDirectory(path, { fresh: true }), { code: 'MR_DATA_IN_USE' });
  data.release();
  takeDataDirectory(path).release();
});

test('fresh empties our own directory', () => {
  const path = join(folder, 'ours');
  takeDataDirectory(path).release();
  mkdirSync(join(path, 'log', 'readings-0'), { recursive: true });
  writeFileSync(join(path, 'ledger.sqlite'), '');
  const data = takeDataDirectory(path, { fresh: true });
  assert.deepEqual(
    readdirSync(path).filter((name) => !name.startsWith('.')),
    ['millrace.json'],
  );
  data.release();
});

test("somebody else's directory is neither used nor emptied", () => {
  const path = join(folder, 'photos');
  mkdirSync(path);
  writeFileSync(join(path, 'cat.jpg'), 'meow');
  for (const fresh of [false, true])
    assert.throws(() => takeDataDirectory(path, { fresh }), { code: 'MR_DATA_FOREIGN' });
  assert.deepEqual(readdirSync(path), ['cat.jpg']);
});

test('where the owner can be asked is announced to its user alone, and forgotten at the end', () => {
  const path = join(folder, 'announced');
  const data = takeDataDirectory(path);
  announceControl(path, '/some/socket');
  assert.deepEqual(controlPlace(path), { pid: process.pid, socket: '/some/socket' });
  assert.equal(statSync(join(path, 'control.json')).mode & 0o077, 0);
  assert.equal(statSync(path).mode & 0o077, 0);
  data.release();
  assert.equal(controlPlace(path), undefined);
});

test('the socket is in the directory, or in a private folder with a short name where its path would be too long', (t) => {
  assert.equal(socketPath('/data/short'), '/data/short/control.sock');
  const long = `/data/${'long/'.repeat(30)}`;
  const path = socketPath(long);
  t.after(() => rmSync(join(path, '..'), { recursive: true }));
  assert.ok(Buffer.byteLength(path) <= 100, path);
  assert.equal(socketPath(long), path);
  assert.equal(statSync(join(path, '..')).mode & 0o777, 0o700);
  assert.ok(existsSync(join(path, '..')));
});
