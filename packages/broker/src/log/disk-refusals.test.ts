import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchOf, durable, type Opened, opened, reopened, valuesIn } from './client.fixture.ts';
import { FaultyStorage } from './faulty-storage.ts';

/** A disk, or a system, that refuses something besides bytes: to open another file, or to remove one. */
const BYTES = Buffer.from('x');

/** Lets everything that waits for nothing but promises happen. */
async function settled(): Promise<void> {
  for (let n = 0; n < 100; n++) await undefined;
}

/** Enough to begin a segment with each but the first. */
function segmentOf({ partition }: Opened, name: string): Promise<void> {
  return durable(partition, partition.appendFromClient(batchOf([name.padEnd(200, '.')])));
}

test('however many partitions there are, few hold their files open when nothing waits for them', async () => {
  const { log, storage, clock, partition } = await opened();
  const partitions = 600;
  await log.createTopic('many', { partitions });
  const producer = log.producer();
  const send = (p: number) => producer.send({ topic: 'many', partition: p, value: BYTES });
  await Promise.all(Array.from({ length: partitions }, (_, p) => send(p)));
  assert.ok(storage.openFiles < 520, `${storage.openFiles}`);
  for (let p = 0; p < partitions; p++) assert.equal(log.read('many', p, 0).records.length, 1);
  assert.ok(storage.openFiles < 520, `read: ${storage.openFiles}`);
  storage.failOpen = (path) => path.endsWith('.log');
  await assert.rejects(send(0), { code: 'KAFKA_STORAGE_ERROR', retriable: true, message: /EMFILE/ });
  await settled();
  storage.failOpen = () => false;
  clock.advance(100);
  await Promise.all(Array.from({ length: partitions }, (_, p) => send(p)));
  const again = await reopened(storage.afterKill());
  assert.ok(again.storage.openFiles < 520, `recovered: ${again.storage.openFiles}`);
  for (let p = 0; p < partitions; p++) assert.equal(again.log.read('many', p, 0).records.length, 2);
  assert.equal(partition.error, undefined);
});

test('when no more files can be opened, records wait for their sync, and nothing has to be opened again', async () => {
  for (const refused of ['.index', '.timeindex', '.snapshot', '/data/t-0']) {
    const all = await opened({ 'segment.bytes': 300 });
    const { storage, clock, partition } = all;
    await segmentOf(all, 'first');
    const second = partition.appendFromClient(batchOf(['second'.padEnd(200, '.')]));
    let acknowledged = false;
    const done = durable(partition, second).then(() => {
      acknowledged = true;
    });
    storage.failOpen = (path) => path.endsWith(refused);
    for (let n = 0; n < 3; n++) {
      await settled();
      clock.advance(100);
    }
    await settled();
    assert.ok(!acknowledged && partition.highWatermark === 1, refused);
    storage.failOpen = () => false;
    clock.advance(100);
    await done;
    await segmentOf(all, 'third');
    const found = await reopened(storage.afterPowerCut(() => 0));
    assert.equal(valuesIn(found.partition).length, 3, refused);
  }
});

test('an append and a read for which no file can be opened are refused, and the partition goes on', async () => {
  const all = await opened({ 'segment.bytes': 300 });
  const { storage, log, partition } = all;
  for (const name of ['a', 'b', 'c']) await segmentOf(all, name);
  await log.close();
  const again = await reopened(storage);
  storage.failOpen = (path) => path.endsWith('.log');
  const refusal = { code: 'KAFKA_STORAGE_ERROR', retriable: true, message: /EMFILE/ };
  assert.throws(() => again.partition.readBatches(0, 1000), refusal);
  assert.throws(() => again.partition.appendFromClient(batchOf(['d'.padEnd(200, '.')])), refusal);
  storage.failOpen = () => false;
  assert.equal(again.partition.error, undefined);
  await segmentOf(again, 'd');
  assert.equal(valuesIn(again.partition).length, 4);
  assert.equal(partition.topic, 't');
});

test('a snapshot that cannot be removed stops nothing', async () => {
  const all = await opened({ 'segment.bytes': 300 });
  all.storage.failRemove = (path) => path.endsWith('.snapshot');
  for (let n = 0; n < 6; n++) {
    await segmentOf(all, `${n}`);
    all.clock.advance(20);
    await settled();
  }
  assert.equal(all.log.directory.commit.stopped, undefined);
  assert.equal(valuesIn(all.partition).length, 6);
});

test('a deleted topic whose files cannot be removed is gone, with what groups committed of it', async () => {
  const { log, storage } = await opened();
  await log.producer().send({ topic: 't', value: BYTES });
  await log.commitOffsets('g', 't', new Map([[0, 1]]));
  storage.failRemove = (path) => path.endsWith('.log');
  await assert.rejects(log.deleteTopic('t'), {
    code: 'KAFKA_STORAGE_ERROR',
    message: /'t' is deleted, and its files stay until the log is opened again: EACCES/,
  });
  assert.deepEqual(log.topics(), []);
  assert.deepEqual(log.groups(), []);
  storage.failRemove = () => false;
  await log.createTopic('t');
  assert.deepEqual(log.offsets('t', 0), { earliest: 0, latest: 0 });
  assert.equal(log.committedOffsets('g', 't').size, 0);
});

test('a name is not taken again before the groups have forgotten who had it', async () => {
  const { log, storage } = await opened();
  await log.commitOffsets('g', 't', new Map([[0, 7]]));
  storage.failWrite = (path) => path.includes('__consumer_offsets');
  await assert.rejects(log.deleteTopic('t'), { code: 'KAFKA_STORAGE_ERROR' });
  await assert.rejects(log.createTopic('t'), { code: 'KAFKA_STORAGE_ERROR' });
  storage.failWrite = () => false;
  await log.createTopic('t');
  assert.equal(log.committedOffsets('g', 't').size, 0);
});

test('a topic that could not be made leaves no file open', async () => {
  const storage = new FaultyStorage();
  const { log } = await opened({}, storage);
  const before = storage.openFiles;
  storage.failWrite = (path) => path.includes('__cluster_metadata');
  await assert.rejects(log.createTopic('u', { partitions: 5 }), { code: 'KAFKA_STORAGE_ERROR' });
  assert.equal(storage.openFiles, before);
  storage.failWrite = (path) => path.includes('u-3');
  await assert.rejects(log.createTopic('u', { partitions: 5 }), { code: 'KAFKA_STORAGE_ERROR' });
  assert.equal(storage.openFiles, before);
});
