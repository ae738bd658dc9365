import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Log } from './api.ts';
import { batchOf, NOW, opened } from './client.fixture.ts';
import { FaultyStorage, seededRandom } from './faulty-storage.ts';
import { openLog } from './log.ts';
import { ManualClock } from './manual-clock.ts';

async function fresh(storage: FaultyStorage): Promise<Log> {
  const log = await open(storage);
  await log.createTopic('t', { config: { 'segment.bytes': 1000 } });
  return log;
}

function open(storage: FaultyStorage): Promise<Log> {
  return openLog({ directory: '/data', storage, clock: new ManualClock(), random: seededRandom(1) });
}

function send(log: Log, value: string) {
  return log.producer().send({ topic: 't', partition: 0, value: Buffer.from(value) });
}

function valuesOf(log: Log): string[] {
  const { records } = log.read('t', 0, 0);
  return records.map(({ value }) => Buffer.from(value!).toString());
}

test('a full disk refuses the record and damages nothing; with room again, writing goes on', async () => {
  const storage = new FaultyStorage();
  const log = await fresh(storage);
  await send(log, 'before');
  const path = '/data/t-0/00000000000000000000.log';
  const size = storage.bytesOf(path).length;
  storage.capacity = 30;
  await assert.rejects(send(log, 'refused'), {
    code: 'KAFKA_STORAGE_ERROR',
    retriable: true,
    message: /t' partition 0.*ENOSPC/,
  });
  assert.equal(storage.bytesOf(path).length, size, 'no piece of it is left');
  assert.deepEqual(valuesOf(log), ['before']);
  storage.capacity = Number.POSITIVE_INFINITY;
  assert.equal((await send(log, 'after')).offset, 1);
  assert.deepEqual(valuesOf(await open(storage.afterKill())), ['before', 'after']);
});

test('a disk that is full when a segment is to be started refuses that record only', async () => {
  const storage = new FaultyStorage();
  const log = await fresh(storage);
  const large = 'x'.repeat(700);
  await send(log, large);
  storage.capacity = 4;
  await assert.rejects(send(log, large), { code: 'KAFKA_STORAGE_ERROR' });
  storage.capacity = Number.POSITIVE_INFINITY;
  await send(log, 'small enough for the old segment');
  await send(log, large);
  const again = await open(storage.afterPowerCut(seededRandom(7)));
  assert.equal(again.describeTopic('t').partitions[0]!.error, undefined);
  assert.equal(again.offsets('t', 0).latest, 3);
});

test('a disk that became read-only refuses records, topics and commits, and reading goes on', async () => {
  const storage = new FaultyStorage();
  const log = await fresh(storage);
  await send(log, 'before');
  storage.readOnly = true;
  await assert.rejects(send(log, 'refused'), { code: 'KAFKA_STORAGE_ERROR', message: /EROFS/ });
  await assert.rejects(log.createTopic('u'), { code: 'KAFKA_STORAGE_ERROR' });
  await assert.rejects(log.commitOffsets('g', 't', new Map([[0, 1]])), { code: 'KAFKA_STORAGE_ERROR' });
  assert.deepEqual(valuesOf(log), ['before']);
  assert.deepEqual(log.groups(), []);
  storage.readOnly = false;
  await send(log, 'after');
  await log.close();
  assert.deepEqual(valuesOf(await open(storage)), ['before', 'after']);
});

test('a read-only data directory cannot be opened, and the error names it', async () => {
  const storage = new FaultyStorage();
  storage.readOnly = true;
  await assert.rejects(open(storage), { code: 'KAFKA_STORAGE_ERROR', message: /\/data/ });
});

test('after a failed sync nothing is acknowledged or written until the log is opened again', async () => {
  const storage = new FaultyStorage();
  const log = await fresh(storage);
  await send(log, 'before');
  let failing = true;
  let syncs = 0;
  storage.failSync = (path) => {
    if (path.endsWith('.log')) syncs++;
    return failing && path.endsWith('.log');
  };
  const failed = [send(log, 'one'), send(log, 'two')];
  for (const one of failed) {
    await assert.rejects(one, {
      code: 'KAFKA_STORAGE_ERROR',
      retriable: false,
      message: /syncing .* failed .* open it again/,
    });
  }
  failing = false;
  const bytes = storage.bytesOf('/data/t-0/00000000000000000000.log').length;
  await assert.rejects(send(log, 'three'), /open it again/);
  await assert.rejects(log.createTopic('u'), /open it again/);
  await assert.rejects(log.commitOffsets('g', 't', new Map([[0, 1]])), /open it again/);
  assert.equal(syncs, 1, 'the sync is not tried again');
  assert.equal(storage.bytesOf('/data/t-0/00000000000000000000.log').length, bytes);
  assert.deepEqual(valuesOf(log), ['before'], 'what may be lost is not shown');
  await log.close();
  const again = await open(storage);
  assert.equal((await send(again, 'after')).offset, again.offsets('t', 0).latest - 1);
});

test('what a failed sync dropped from the disk, recovery does not vouch for out of the cache', async () => {
  const storage = new FaultyStorage();
  const log = await fresh(storage);
  storage.failSync = (path) => path.endsWith('.log');
  await assert.rejects(send(log, 'dropped'));
  await log.close();
  storage.failSync = () => false;
  const again = await open(storage);
  const shown = valuesOf(again);
  await send(again, 'after');
  const found = await open(storage.afterPowerCut(() => 0.1));
  assert.deepEqual(valuesOf(found), [...shown, 'after'], 'what was shown after recovery is on the disk');
});

test('a directory whose first sync failed is whole on the disk when it is open at last', async () => {
  for (const failing of ['/data/recovery-point', '/data', '/']) {
    const storage = new FaultyStorage();
    let failed = false;
    storage.failSync = (path) => {
      const fails = !failed && path === failing;
      failed ||= fails;
      return fails;
    };
    await assert.rejects(open(storage), failing);
    const log = await fresh(storage);
    await send(log, 'kept');
    for (const luck of [0.1, 0.9]) {
      const found = await open(storage.afterPowerCut(() => luck));
      assert.deepEqual(valuesOf(found), ['kept'], `${failing} failed, luck ${luck}`);
    }
  }
});

test('a log that is closed writes nothing more, whoever still has a part of it', async () => {
  const { log, partition, storage } = await opened();
  await log.producer().send({ topic: 't', value: null });
  await log.close();
  const path = '/data/t-0/00000000000000000000.log';
  const { length } = storage.bytesOf(path);
  const refused = { code: 'LOG_CLOSED' };
  assert.throws(() => partition.appendFromClient(batchOf(['late'])), refused);
  await assert.rejects(log.catalog.create('late', 1, {}), refused);
  await assert.rejects(log.groupOffsets.commit('g', 't', new Map([[0, 1]]), NOW), refused);
  assert.equal(storage.bytesOf(path).length, length);
  assert.equal(storage.openFiles, 0);
});

test('with acks=0 a failure is told by flush, and with acks=1 by the send', async () => {
  const storage = new FaultyStorage();
  const log = await fresh(storage);
  storage.capacity = 0;
  const careless = log.producer({ acks: 0 });
  assert.equal((await careless.send({ topic: 't', value: null })).offset, -1);
  await assert.rejects(careless.flush(), /ENOSPC/);
  await careless.flush();
  await assert.rejects(log.producer({ acks: 1 }).send({ topic: 't', value: null }), /ENOSPC/);
});

test('retention removes no file before the mark that lets it go is durable', async () => {
  const storage = new FaultyStorage();
  const clock = new ManualClock();
  const options = { directory: '/data', clock, random: seededRandom(1), retentionCheckInterval: 1000 };
  const log = await openLog({ ...options, storage });
  await log.createTopic('t', { config: { 'segment.bytes': 1000, 'retention.bytes': 1000 } });
  for (let n = 0; n < 20; n++) await send(log, 'x'.repeat(400));
  const before = storage.list('/data/t-0').length;
  storage.failWrite = (path) => path.endsWith('recovery-point');
  clock.advance(1000);
  await log.createTopic('stands-behind-it-in-the-line').catch(() => undefined);
  assert.ok(log.offsets('t', 0).earliest > 0);
  assert.equal(storage.list('/data/t-0').length, before);
  const found = await openLog({ ...options, storage: storage.afterPowerCut(() => 0.1) });
  assert.equal(found.describeTopic('t').partitions[0]!.error, undefined);
  assert.deepEqual(found.offsets('t', 0), { earliest: 0, latest: 20 });
});

test('retention makes room on a full disk', async () => {
  const storage = new FaultyStorage();
  const clock = new ManualClock();
  const log = await openLog({
    directory: '/data',
    storage,
    clock,
    random: seededRandom(1),
    retentionCheckInterval: 1000,
  });
  await log.createTopic('t', { config: { 'segment.bytes': 1000, 'retention.ms': 500 } });
  for (let n = 0; n < 20; n++) await send(log, 'x'.repeat(400));
  const before = storage.list('/data/t-0').length;
  storage.capacity = 0;
  clock.advance(1000);
  await log.createTopic('u').catch(() => undefined); // Stands in the line behind it.
  assert.ok(log.offsets('t', 0).earliest >= 18);
  assert.ok(storage.list('/data/t-0').length < before);
});
