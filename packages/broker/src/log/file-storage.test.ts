import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fileStorage } from './file-storage.ts';
import { openLog } from './log.ts';

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-log-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Opens the directory in another process; gives what it printed and what it complained of. */
function openElsewhere(directory: string): { said: string; complained: string } {
  const program = `
    const { openLog } = await import(${JSON.stringify(fileURLToPath(new URL('./log.ts', import.meta.url)))});
    try { const log = await openLog({ directory: ${JSON.stringify(directory)} }); console.log(log.topics().join()); await log.close(); }
    catch (error) { console.log(error.code, error.message); }`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  });
  return { said: stdout.trim(), complained: stderr };
}

test('a log on the real disk is read back, in directories that it made', async (t) => {
  const directory = join(temporary(t), 'deep', 'down');
  let log = await openLog({ directory });
  await log.createTopic('t', { partitions: 2, config: { 'segment.bytes': 2000 } });
  const producer = log.producer();
  const key = (n: number) => Buffer.from(`key ${n}`);
  const sent = await Promise.all(
    Array.from({ length: 500 }, (_, n) => producer.send({ topic: 't', key: key(n), value: key(n) })),
  );
  await log.close();
  log = await openLog({ directory });
  for (const [n, { partition, offset }] of sent.entries()) {
    assert.deepEqual(log.read('t', partition, offset, 1).records[0]!.key, new Uint8Array(key(n)));
  }
  await log.close();
});

test('a second process is told who owns the directory, and gets it when the owner closes, without any warning', async (t) => {
  const directory = temporary(t);
  const log = await openLog({ directory });
  await log.createTopic('t');
  const { said } = openElsewhere(directory);
  assert.equal(
    said,
    `DATA_DIRECTORY_LOCKED the data directory ${directory} is in use by process ${process.pid}; stop it, or give another directory`,
  );
  await assert.rejects(openLog({ directory }), /in use by this process/);
  await log.close();
  assert.deepEqual(openElsewhere(directory), { said: 't', complained: '' });
});

test('a directory that cannot be made or used is named', async (t) => {
  const file = join(temporary(t), 'file');
  writeFileSync(file, '');
  await assert.rejects(openLog({ directory: file }), (error: Error) => error.message.includes(file));
  await assert.rejects(openLog({ directory: join(file, 'below') }), (error: Error) => error.message.includes(file));
});

test('directories that are not the log’s are left alone', async (t) => {
  const directory = temporary(t);
  mkdirSync(join(directory, 'mine-0'));
  writeFileSync(join(directory, 'mine-0', 'precious'), 'x');
  const log = await openLog({ directory });
  await log.close();
  assert.equal(readFileSync(join(directory, 'mine-0', 'precious'), 'utf8'), 'x');
});

test('files do what the storage seam promises', async (t) => {
  const directory = temporary(t);
  const storage = fileStorage();
  const path = join(directory, 'f');
  assert.throws(() => storage.open(path, false), { code: 'ENOENT' });
  const file = storage.open(path, true);
  file.write(Buffer.from('hello world'), 0);
  file.write(Buffer.from('H'), 0);
  await file.sync();
  const target = Buffer.alloc(20);
  assert.equal(file.read(target, 6), 5);
  assert.equal(target.toString('utf8', 0, 5), 'world');
  file.truncate(5);
  assert.equal(file.size(), 5);
  file.close();
  assert.equal(storage.createNew(path), false);
  assert.equal(readFileSync(path, 'utf8'), 'Hello');
  storage.rename(path, join(directory, 'g'));
  storage.makeDirectory(join(directory, 'd'));
  storage.makeDirectory(join(directory, 'd'));
  await storage.syncDirectory(directory);
  assert.deepEqual([...storage.list(directory)].sort(), ['d', 'g']);
  assert.equal(storage.createNew(join(directory, 'n')), true);
  assert.equal(storage.createNew(join(directory, 'n')), false);
  assert.equal(storage.createNew(join(directory, 'd')), false);
  assert.throws(() => storage.createNew(join(directory, 'no', 'where')), { code: 'ENOENT' });
  for (const name of ['n', 'g', 'd']) storage.remove(join(directory, name));
  assert.deepEqual(storage.list(directory), []);
  assert.throws(() => storage.list(join(directory, 'd')), { code: 'ENOENT' });
});
