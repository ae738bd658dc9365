import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LogErrorCode } from '../errors.ts';
import { batchOf, durable, NOW, opened, reopened, type Sent, valuesIn } from './client.fixture.ts';
import { openDirectoryLog } from './log.ts';
import type { Partition } from './partition.ts';
import { headerOf, setChecksum } from './record-batch.ts';

/** Batches over the wire: what is refused before a byte is written, and what a producer id promises. */
function spoilt(spoil: (batch: Buffer) => void, sent: Sent = {}): Buffer {
  const batch = batchOf(['a', 'b'], sent);
  spoil(batch);
  setChecksum(batch);
  return batch;
}

function refuses(partition: Partition, code: LogErrorCode, batch: Buffer, message = /./): void {
  const { end } = partition;
  assert.throws(() => partition.appendFromClient(batch), { code, message });
  assert.equal(partition.end, end, 'nothing is written');
}

test('a batch that is not whole, or not one, is refused before it is written', async () => {
  const { partition } = await opened();
  const batch = batchOf(['a']);
  refuses(partition, 'INVALID_RECORD', Buffer.alloc(0), /no record batch/);
  refuses(partition, 'CORRUPT_MESSAGE', batch.subarray(0, 40));
  refuses(partition, 'CORRUPT_MESSAGE', batch.subarray(0, -1), /claims 69 bytes where 68 are left/);
  refuses(partition, 'INVALID_RECORD', Buffer.concat([batch, batch]), /one record batch per partition/);
  const flipped = Buffer.from(batch);
  flipped[65]! ^= 1;
  refuses(partition, 'CORRUPT_MESSAGE', flipped, /checksum/);
  refuses(
    partition,
    'INVALID_RECORD',
    spoilt((bytes) => bytes.writeInt8(1, 16)),
    /format 1/,
  );
  refuses(
    partition,
    'CORRUPT_MESSAGE',
    spoilt((bytes) => bytes.writeInt8(3, 16)),
    /magic/,
  );
});

test('a batch whose header cannot be is refused with the code that Kafka gives', async () => {
  const { partition } = await opened({ 'max.message.bytes': 1000, 'segment.bytes': 500 });
  refuses(
    partition,
    'INVALID_RECORD',
    spoilt((bytes) => bytes.writeInt32BE(1, 57)),
    /1 records over 2 offsets/,
  );
  refuses(
    partition,
    'INVALID_RECORD',
    spoilt((bytes) => bytes.writeInt32BE(0, 57)),
    /no records/,
  );
  refuses(
    partition,
    'INVALID_RECORD',
    spoilt((bytes) => bytes.writeInt32BE(7, 4)),
    /base offset is 7/,
  );
  refuses(
    partition,
    'INVALID_RECORD',
    spoilt((bytes) => bytes.writeInt16BE(0x20, 21)),
    /control/,
  );
  refuses(partition, 'INVALID_RECORD', batchOf(['a'], { producerId: 1, sequence: -1 }), /sequence number -1/);
  refuses(partition, 'INVALID_RECORD', batchOf(['a'], { transactional: true }), /no producer id/);
  refuses(
    partition,
    'INVALID_RECORD',
    spoilt((bytes) => bytes.writeInt32BE(0x7fffffff, 43)),
    /producer id/,
  );
  refuses(
    partition,
    'UNSUPPORTED_COMPRESSION_TYPE',
    spoilt((bytes) => bytes.writeInt16BE(5, 21)),
    /codec 5/,
  );
  refuses(partition, 'MESSAGE_TOO_LARGE', batchOf(['x'.repeat(1000)]), /max.message.bytes is 1000/);
  refuses(partition, 'RECORD_LIST_TOO_LARGE', batchOf(['x'.repeat(600)]), /segment.bytes is 500/);
  refuses(partition, 'INVALID_RECORD', batchOf(['a'], { producerId: 1, epoch: -1 }), /epoch -1/);
});

test('timestamps are kept within the bounds of the topic, and are always ones that can be kept', async () => {
  const bounds = { 'message.timestamp.before.max.ms': 1000, 'message.timestamp.after.max.ms': 10 } as const;
  const { partition } = await opened(bounds);
  refuses(partition, 'INVALID_TIMESTAMP', batchOf(['a'], { timestamp: NOW - 1001 }));
  refuses(partition, 'INVALID_TIMESTAMP', batchOf(['a'], { timestamp: NOW + 11 }));
  partition.appendFromClient(batchOf(['a'], { timestamp: NOW - 1000 }));
  partition.appendFromClient(spoilt((bytes) => bytes.fill(0xff, 27, 43)));
  const any = await opened({ 'message.timestamp.after.max.ms': Number.MAX_SAFE_INTEGER });
  refuses(
    any.partition,
    'INVALID_TIMESTAMP',
    spoilt((bytes) => bytes.writeInt32BE(0x7fffffff, 27)),
  );
});

test('a compacted topic takes no record without a key', async () => {
  const { partition } = await opened({ 'cleanup.policy': 'compact' });
  refuses(partition, 'INVALID_RECORD', batchOf(['a']), /record 0 of the batch has no key/);
  assert.equal(partition.appendFromClient(batchOf(['a'], { key: 'k' })).baseOffset, 0);
});

test('the bytes are kept as they came, but for the offsets; LogAppendTime sets the time of all records', async () => {
  const { partition } = await opened();
  const batch = batchOf(['a', 'b'], { timestamp: NOW - 5 });
  const sent = Buffer.from(batch);
  partition.appendFromClient(batchOf(['before']));
  await durable(partition, partition.appendFromClient(batch));
  const [kept] = partition.readBatches(1, 1000).batches;
  assert.deepEqual(kept!.subarray(16), sent.subarray(16));
  assert.equal(headerOf(kept!, 0).baseOffset, 1);
  const { log, partition: stamping } = await opened({ 'message.timestamp.type': 'LogAppendTime' });
  const appended = stamping.appendFromClient(batchOf(['a', 'b'], { timestamp: 5 }));
  assert.equal(appended.logAppendTime, NOW);
  await durable(stamping, appended);
  assert.deepEqual(
    stamping.read(0, 1000).records.map(({ timestamp }) => timestamp),
    [NOW, NOW],
  );
  assert.equal(stamping.offsetForTime(NOW), 0);
  const here = await log.producer().send({ topic: 't', timestamp: 5, value: null });
  assert.deepEqual([here.timestamp, stamping.read(2, 1000).records[0]!.timestamp], [NOW, NOW]);
});

test('a batch that is sent again is answered with its first offset, once it is durable, and not kept twice', async () => {
  const { partition } = await opened();
  const first = partition.appendFromClient(batchOf(['a', 'b'], { producerId: 7 }));
  const again = partition.appendFromClient(batchOf(['a', 'b'], { producerId: 7 }));
  assert.deepEqual(again, first);
  assert.equal(partition.highWatermark, 0);
  await durable(partition, again);
  assert.equal(partition.highWatermark, 2, 'the answer for the second waits for the first');
  for (let sequence = 2; sequence < 6; sequence++) {
    partition.appendFromClient(batchOf(['x'], { producerId: 7, sequence }));
  }
  const five = [batchOf(['a', 'b'], { producerId: 7 }), batchOf(['x'], { producerId: 7, sequence: 5 })];
  assert.deepEqual(
    five.map((batch) => partition.appendFromClient(batch).baseOffset),
    [0, 5],
  );
  partition.appendFromClient(batchOf(['x'], { producerId: 7, sequence: 6 }));
  refuses(
    partition,
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
    batchOf(['a', 'b'], { producerId: 7 }),
    /sequence 0 where 7 is next/,
  );
});

test('sequences have no gap, begin at 0 in a new epoch, and go on at 0 after the greatest', async () => {
  const { partition } = await opened();
  partition.appendFromClient(batchOf(['a'], { producerId: 1, sequence: 40 }));
  refuses(partition, 'OUT_OF_ORDER_SEQUENCE_NUMBER', batchOf(['c'], { producerId: 1, sequence: 42 }));
  refuses(partition, 'OUT_OF_ORDER_SEQUENCE_NUMBER', batchOf(['c', 'd'], { producerId: 1, sequence: 40 }));
  refuses(partition, 'OUT_OF_ORDER_SEQUENCE_NUMBER', batchOf(['b'], { producerId: 1, epoch: 1, sequence: 41 }));
  partition.appendFromClient(batchOf(['b'], { producerId: 1, epoch: 1 }));
  refuses(partition, 'INVALID_PRODUCER_EPOCH', batchOf(['b'], { producerId: 1, sequence: 41 }), /another has taken/);
  const greatest = 2 ** 31 - 1;
  partition.appendFromClient(batchOf(['a'], { producerId: 2, sequence: greatest }));
  assert.equal(partition.appendFromClient(batchOf(['b'], { producerId: 2, sequence: 0 })).baseOffset, 3);
  partition.appendFromClient(batchOf(['a', 'b', 'c'], { producerId: 3, sequence: greatest - 1 }));
  assert.equal(partition.appendFromClient(batchOf(['d'], { producerId: 3, sequence: 1 })).baseOffset, 7);
  assert.deepEqual(
    partition
      .producers()
      .map(({ producerId, producerEpoch, lastSequence }) => [producerId, producerEpoch, lastSequence]),
    [
      [1, 1, 0],
      [2, 0, 0],
      [3, 0, 1],
    ],
  );
});

test('a producer that was idle for a day is forgotten, whatever timestamps its records have', async () => {
  const { partition, clock } = await opened();
  partition.appendFromClient(batchOf(['a'], { producerId: 1, timestamp: 5 }));
  clock.advance(86_399_999);
  refuses(partition, 'OUT_OF_ORDER_SEQUENCE_NUMBER', batchOf(['c'], { producerId: 1, sequence: 9, timestamp: 5 }));
  assert.equal(partition.producers()[0]!.lastTimestamp, 5);
  clock.advance(1);
  assert.deepEqual(partition.producers(), []);
  assert.equal(partition.appendFromClient(batchOf(['c'], { producerId: 1, sequence: 9, timestamp: 5 })).baseOffset, 1);
});

test('a write that fails leaves the sequence where it was', async () => {
  const { partition, storage, log } = await opened();
  storage.failWrite = (path) => path.endsWith('.log');
  refuses(partition, 'KAFKA_STORAGE_ERROR', batchOf(['a'], { producerId: 1 }));
  storage.failWrite = () => false;
  assert.equal(partition.appendFromClient(batchOf(['a'], { producerId: 1 })).baseOffset, 0);
  assert.equal(partition.appendFromClient(batchOf(['b'], { producerId: 1, sequence: 1 })).baseOffset, 1);
  await log.close();
});

test('who wrote what is known after a clean stop, after a crash, and when retention took what they wrote', async () => {
  const { partition, storage, log } = await opened({ 'segment.bytes': 300 });
  for (let sequence = 0; sequence < 9; sequence++) {
    const batch = batchOf(['x'.repeat(100)], { producerId: 5, epoch: 2, sequence });
    await durable(partition, partition.appendFromClient(batch));
  }
  assert.equal(await partition.deleteRecordsBefore(-1), 9);
  await log.close();
  const resend = (sequence: number) => batchOf(['x'.repeat(100)], { producerId: 5, epoch: 2, sequence });
  const stopped = await reopened(storage);
  assert.equal(stopped.partition.start, 9);
  for (let sequence = 4; sequence < 9; sequence++) {
    assert.equal(stopped.partition.appendFromClient(resend(sequence)).baseOffset, sequence);
  }
  await durable(stopped.partition, stopped.partition.appendFromClient(resend(9)));
  const killed = await reopened(storage.afterKill());
  for (let sequence = 5; sequence < 10; sequence++) {
    assert.equal(killed.partition.appendFromClient(resend(sequence)).baseOffset, sequence);
  }
  assert.equal(killed.partition.appendFromClient(resend(10)).baseOffset, 10);
  assert.deepEqual(valuesIn(killed.partition).length, 1);
});

test('a lost or damaged snapshot is made good from what was written', async () => {
  for (const spoil of ['flip', 'remove', 'all'] as const) {
    const { partition, storage, log } = await opened({ 'segment.bytes': 300 });
    const resend = (sequence: number) => batchOf(['x'.repeat(100)], { producerId: 5, sequence });
    for (let sequence = 0; sequence < 9; sequence++) partition.appendFromClient(resend(sequence));
    await log.close();
    const listed = () => storage.list('/data/t-0').filter((name) => name.endsWith('.snapshot'));
    const snapshots = listed().sort();
    assert.ok(snapshots.length > 2, 'none goes before a durable mark vouches for later ones');
    for (const name of spoil === 'all' ? snapshots : snapshots.slice(-1)) {
      if (spoil === 'flip') storage.flip(`/data/t-0/${name}`, 30);
      else storage.remove(`/data/t-0/${name}`);
    }
    const again = await reopened(storage);
    for (let sequence = 4; sequence < 9; sequence++) {
      assert.equal(again.partition.appendFromClient(resend(sequence)).baseOffset, sequence);
    }
    const next = again.partition.appendFromClient(resend(9));
    assert.equal(next.baseOffset, 9);
    await durable(again.partition, next);
    assert.ok(listed().length <= 3, `then they go; there are ${listed()}`);
  }
});

test('without a snapshot all is walked, and not only the end of a large segment', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-walk-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const log = await openDirectoryLog({ directory });
  await log.createTopic('t', { config: { 'max.message.bytes': 20_000_000 } });
  const partition = log.catalog.topic('t').partitions[0]!;
  const timestamp = Date.now();
  partition.appendFromClient(batchOf(['a'], { producerId: 5, timestamp }));
  const large = batchOf(['x'.repeat(17_000_000)], { timestamp });
  for (let n = 0; n < 4; n++) partition.appendFromClient(Buffer.from(large));
  await durable(partition, partition.appendFromClient(batchOf(['b'], { producerId: 6, timestamp })));
  await log.close();
  const snapshots = readdirSync(join(directory, 't-0')).filter((name) => name.endsWith('.snapshot'));
  assert.equal(snapshots.length, 1);
  for (const name of snapshots) rmSync(join(directory, 't-0', name));
  const again = await openDirectoryLog({ directory });
  const found = again.catalog.topic('t').partitions[0]!;
  assert.equal(found.appendFromClient(batchOf(['b'], { producerId: 6, timestamp })).baseOffset, 5);
  assert.equal(found.appendFromClient(batchOf(['a'], { producerId: 5, timestamp })).baseOffset, 0);
  await again.close();
});
