import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchOf, committedByClient, durable, type Opened, opened, reopened, valuesIn } from './client.fixture.ts';
import type { Partition } from './partition.ts';
import { isControl } from './record-batch.ts';

/** Transactions in one partition: what is open stays unread, what was aborted is never read, and both survive. */
async function write(partition: Partition, producerId: number, ...values: string[]): Promise<void> {
  const sequence = partition.producers().find((one) => one.producerId === producerId)?.lastSequence ?? -1;
  const batch = batchOf(values, { producerId, sequence: sequence + 1, transactional: true });
  await durable(partition, partition.appendFromClient(batch));
}

async function end(partition: Partition, producerId: number, commit: boolean, coordinatorEpoch = 0): Promise<void> {
  const marker = { producerId, producerEpoch: 0, coordinatorEpoch, commit };
  await durable(partition, partition.appendMarker(marker));
}

async function plain(partition: Partition, value: string): Promise<void> {
  await durable(partition, partition.appendFromClient(batchOf([value])));
}

/** Both kinds of readers see the same. */
function sees(partition: Partition, ...values: string[]): void {
  assert.deepEqual(valuesIn(partition), values);
  for (const maxBytes of [1, 150, 100_000]) assert.deepEqual(committedByClient(partition, maxBytes), values);
}

test('records of an open transaction, and all behind them, are read when it is committed; aborted ones never', async () => {
  const { partition } = await opened();
  await plain(partition, 'a');
  await write(partition, 1, 'b', 'c');
  await write(partition, 2, 'd');
  await plain(partition, 'e');
  assert.equal(partition.lastStableOffset, 1);
  sees(partition, 'a');
  assert.deepEqual(partition.read(3, 1000), { records: [], nextOffset: 3 }, 'not out of range: it is there');
  await end(partition, 2, false);
  assert.equal(partition.lastStableOffset, 1);
  await end(partition, 1, true);
  assert.equal(partition.lastStableOffset, 7);
  sees(partition, 'a', 'b', 'c', 'e');
  await write(partition, 2, 'f');
  await end(partition, 2, true);
  sees(partition, 'a', 'b', 'c', 'e', 'f');
  assert.deepEqual(partition.readBatches(0, 1000).aborted, [], 'who reads all is not told');
  assert.equal(partition.readBatches(0, 10_000).nextOffset, 9);
});

test('a read never ends with nothing before the last stable offset', async () => {
  const { partition } = await opened();
  await write(partition, 1, 'a');
  await write(partition, 1, 'b');
  await end(partition, 1, false);
  await plain(partition, 'c');
  const { records, nextOffset } = partition.read(0, 1);
  assert.deepEqual([records.length, records[0]!.offset, nextOffset], [1, 3, 4]);
});

test('a transaction counts as ended when its marker is durable, and readers are told', async () => {
  const { partition } = await opened();
  await write(partition, 1, 'a');
  const told: number[] = [];
  partition.onAppend(() => told.push(partition.lastStableOffset));
  const marker = partition.appendMarker({ producerId: 1, producerEpoch: 0, coordinatorEpoch: 0, commit: true });
  assert.equal(partition.hasOpenTransaction(1), false);
  assert.equal(partition.lastStableOffset, 0);
  sees(partition);
  await durable(partition, marker);
  assert.deepEqual(told, [2]);
  sees(partition, 'a');
});

test('while a marker is not durable its transaction is open to readers, though what it wrote is', async () => {
  const { partition } = await opened();
  const data = partition.appendFromClient(batchOf(['a'], { producerId: 1, transactional: true }));
  for (let n = 0; n < 3; n++) await undefined;
  const marker = partition.appendMarker({ producerId: 1, producerEpoch: 0, coordinatorEpoch: 0, commit: true });
  await durable(partition, data);
  assert.deepEqual([partition.lastStableOffset, partition.highWatermark, partition.end], [0, 1, 2]);
  await durable(partition, marker);
  assert.equal(partition.lastStableOffset, 2);
});

test('of several open transactions the first one counts, also after a restart', async () => {
  const { partition, log, storage } = await opened();
  for (const producerId of [1, 2]) {
    await write(partition, producerId, 'done');
    await end(partition, producerId, true);
  }
  await write(partition, 2, 'first');
  await write(partition, 1, 'second');
  assert.equal(partition.lastStableOffset, 4);
  await log.close();
  const again = await reopened(storage);
  assert.equal(again.partition.lastStableOffset, 4);
  await end(again.partition, 2, true);
  assert.equal(again.partition.lastStableOffset, 5);
});

test('zombies are refused: markers and batches of an older epoch, markers of an older coordinator', async () => {
  const { partition } = await opened();
  await write(partition, 1, 'a');
  const marker = { producerId: 1, producerEpoch: 1, coordinatorEpoch: 3, commit: false };
  partition.appendMarker(marker);
  const fenced = { code: 'INVALID_PRODUCER_EPOCH' };
  assert.throws(() => partition.appendMarker({ ...marker, producerEpoch: 0 }), fenced);
  assert.throws(() => partition.appendFromClient(batchOf(['b'], { producerId: 1, sequence: 1 })), fenced);
  const older = { ...marker, coordinatorEpoch: 2 };
  assert.throws(() => partition.appendMarker(older), { code: 'TRANSACTION_COORDINATOR_FENCED' });
  const first = batchOf(['b'], { producerId: 1, epoch: 1, sequence: 1 });
  assert.throws(() => partition.appendFromClient(first), { code: 'OUT_OF_ORDER_SEQUENCE_NUMBER' });
  partition.appendFromClient(batchOf(['b'], { producerId: 1, epoch: 1, transactional: true }));
  const outside = batchOf(['c'], { producerId: 1, epoch: 1, sequence: 1 });
  assert.throws(() => partition.appendFromClient(outside), { code: 'INVALID_TXN_STATE' });
  const [one] = partition.producers();
  assert.deepEqual([one!.coordinatorEpoch, one!.currentTxnStartOffset], [3, 2]);
});

test("a marker without a transaction is kept, and is what Kafka's own clients expect of one", async () => {
  const { partition } = await opened();
  const marker = { producerId: 9, producerEpoch: 4, coordinatorEpoch: 258, commit: true };
  await durable(partition, partition.appendMarker(marker));
  const [bytes] = partition.readBatches(0, 1000).batches;
  assert.ok(isControl(bytes!, 0));
  assert.equal(bytes!.subarray(61).toString('hex'), '2000000008000000010c00000000010200');
  assert.equal(partition.lastStableOffset, 1);
  sees(partition);
});

test('the same is read after a clean stop, after a crash, and after the indexes were lost', async () => {
  const config = { 'segment.bytes': 400 };
  const before = await opened(config);
  const kept: string[] = [];
  for (let round = 0; round < 12; round++) {
    await write(before.partition, 1, `${round}.one`);
    await write(before.partition, 2, `${round}.two`);
    await end(before.partition, 1, round % 2 === 0);
    await end(before.partition, 2, round % 3 !== 0);
    if (round % 2 === 0) kept.push(`${round}.one`);
    if (round % 3 !== 0) kept.push(`${round}.two`);
  }
  await write(before.partition, 3, 'open');
  await plain(before.partition, 'behind');
  const again = async ({ partition }: Opened) => {
    sees(partition, ...kept);
    assert.equal(partition.lastStableOffset, 48);
    assert.equal(partition.hasOpenTransaction(3), true);
    assert.equal(partition.producers().length, 3);
  };
  await again(before);
  const files = before.storage.list('/data/t-0').filter((name) => name.endsWith('.txnindex'));
  assert.ok(files.length > 3, `only ${files}`);
  const killed = await reopened(before.storage.afterKill());
  await again(killed);
  await killed.log.close();
  const stopped = await reopened(killed.storage);
  await again(stopped);
  await stopped.log.close();
  for (const name of files) killed.storage.open(`/data/t-0/${name}`, false).truncate(33);
  const mended = await reopened(killed.storage);
  await again(mended);
  await end(mended.partition, 3, true);
  sees(mended.partition, ...kept, 'open', 'behind');
  await mended.log.close();
  const last = await reopened(killed.storage);
  sees(last.partition, ...kept, 'open', 'behind');
});

test('deleting records passes an open transaction, and its producer stays bound to it', async () => {
  const { partition, storage, log } = await opened({ 'segment.bytes': 200 });
  await write(partition, 1, 'a');
  for (const value of ['b', 'c', 'd']) await plain(partition, value);
  let told = 0;
  partition.onAppend(() => told++);
  await assert.rejects(partition.deleteRecordsBefore(5), { code: 'OFFSET_OUT_OF_RANGE' });
  await assert.rejects(partition.deleteRecordsBefore(-2), { code: 'OFFSET_OUT_OF_RANGE' });
  assert.equal(await partition.deleteRecordsBefore(3), 3);
  assert.equal(await partition.deleteRecordsBefore(1), 3);
  assert.equal(told, 1, 'the last stable offset moved');
  assert.deepEqual([partition.start, partition.lastStableOffset, partition.highWatermark], [3, 3, 4]);
  assert.deepEqual(partition.read(3, 100).records, []);
  await log.close();
  const again = await reopened(storage);
  assert.equal(again.partition.start, 3);
  assert.equal(again.partition.hasOpenTransaction(1), true);
  await end(again.partition, 1, false);
  sees(again.partition, 'd');
});

test('what fits is given, a first batch that does not only when it must be, and nothing twice', async () => {
  const { partition } = await opened({ 'segment.bytes': 1000 });
  for (let n = 0; n < 40; n++) await plain(partition, 'x'.repeat(100));
  const size = batchOf(['x'.repeat(100)]).length;
  const ask = (offset: number, bytes: number, atLeastOne = true) => {
    const read = partition.readBatches(offset, bytes, { atLeastOne });
    assert.equal(
      read.size,
      read.batches.reduce((sum, { length }) => sum + length, 0),
    );
    return [read.size / size, read.nextOffset];
  };
  assert.deepEqual(ask(0, 1), [1, 1]);
  assert.deepEqual(ask(3, 1, false), [0, 3]);
  assert.deepEqual(ask(3, size * 3 + 1), [3, 6]);
  assert.deepEqual(ask(3, size * 3 - 1, false), [2, 5]);
  assert.deepEqual(ask(0, 1e6), [40, 40], 'over many segments');
  assert.deepEqual(ask(40, 1e6), [0, 40]);
  assert.throws(() => partition.readBatches(41, 100), { code: 'OFFSET_OUT_OF_RANGE' });
});

test('what stands before damage is given, and then the damage is told', async () => {
  const { partition, storage } = await opened();
  for (const value of ['a', 'b', 'c']) await plain(partition, value);
  storage.flip('/data/t-0/00000000000000000000.log', 69 * 2 + 65);
  assert.equal(partition.readBatches(0, 1e6).nextOffset, 2);
  assert.throws(() => partition.readBatches(2, 1e6), { code: 'CORRUPT_MESSAGE' });
});

test('what a crash left of batches that it took says nothing about those that come in their place', async () => {
  const config = { 'segment.bytes': 200 };
  const before = await opened(config);
  await write(before.partition, 5, 'lost');
  await end(before.partition, 5, false);
  for (let n = 0; n < 4; n++) await write(before.partition, 5, 'lost, and of some length');
  const storage = before.storage.afterKill();
  const names = storage.list('/data/t-0');
  assert.ok(names.includes('00000000000000000000.txnindex') && names.includes('00000000000000000002.snapshot'));
  for (const name of names) if (name.endsWith('.log')) storage.open(`/data/t-0/${name}`, false).truncate(0);
  const { partition, log } = await reopened(storage);
  assert.equal(partition.end, 0);
  await write(partition, 5, 'kept');
  await end(partition, 5, true);
  for (let n = 0; n < 4; n++) await write(partition, 6, 'kept, and of some length');
  await end(partition, 6, true);
  await log.close();
  const kept = ['kept', ...Array.from({ length: 4 }, () => 'kept, and of some length')];
  sees(partition, ...kept);
  for (const name of storage.list('/data/t-0')) {
    if (/0[67]\.snapshot$/.test(name)) storage.remove(`/data/t-0/${name}`);
  }
  const again = await reopened(storage);
  sees(again.partition, ...kept);
  assert.deepEqual(
    again.partition.producers().map(({ producerId, lastSequence }) => [producerId, lastSequence]),
    [
      [5, 0],
      [6, 3],
    ],
  );
});
