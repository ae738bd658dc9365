import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProducerRecord } from '../log/api.ts';
import { FaultyStorage, seededRandom } from '../log/faulty-storage.ts';
import { type DirectoryLog, openDirectoryLog, openLog } from '../log/log.ts';
import { ManualClock } from '../log/manual-clock.ts';
import { headerOf } from '../log/record-batch.ts';
import { AddPartitionsToTxn, EndTxn, InitProducerId } from '../protocol/messages/transactions.ts';
import { ownDirectory } from '../server/broker.fixture.ts';
import { Broker } from '../server/broker.ts';
import { TestClient } from '../server/client.fixture.ts';
import { refused, settled } from './coordinator.fixture.ts';

const clock = new ManualClock();
const random = seededRandom(1);

function open(storage = new FaultyStorage()): Promise<DirectoryLog> {
  return openDirectoryLog({ directory: '/data', storage, clock, random });
}

const to = (topic: string, value: string, more: Partial<ProducerRecord> = {}): ProducerRecord => {
  return { topic, value: Buffer.from(value), ...more };
};

function valuesIn(log: DirectoryLog, topic: string, partition = 0): string[] {
  const found: string[] = [];
  const { earliest, latest } = log.offsets(topic, partition);
  for (let offset = earliest; offset < latest; ) {
    const { records, nextOffset } = log.read(topic, partition, offset);
    found.push(...records.map(({ value }) => Buffer.from(value!).toString()));
    offset = nextOffset;
  }
  return found;
}

test('what it commits is readable in every topic at once, and its batches count as a client of Kafka would have them', async () => {
  const log = await open();
  await log.createTopic('a', { partitions: 2 });
  await log.createTopic('b', { config: { 'max.message.bytes': 2_000 } });
  const producer = await log.transactionalProducer('p');
  const told: string[] = [];
  log.onAppend('a', 0, () => told.push(`${valuesIn(log, 'a').length} ${valuesIn(log, 'b').length}`));
  const long = Array.from({ length: 30 }, (_, n) => to('b', `${n} ${'x'.repeat(500)}`));
  await producer.commit([to('a', 'one', { partition: 0 }), to('a', 'two', { partition: 1 }), ...long]);
  assert.ok(
    told.every((line) => line === '0 0' || line.startsWith('1 ')),
    String(told),
  );
  assert.deepEqual(valuesIn(log, 'b').length, 30);
  await producer.commit([to('a', 'three', { partition: 0, timestamp: 7 }), to('b', 'last')]);
  assert.deepEqual([valuesIn(log, 'a', 0), valuesIn(log, 'a', 1)], [['one', 'three'], ['two']]);
  const sequences: number[] = [];
  const b = log.catalog.topic('b').partitions[0]!;
  b.eachBatch(0, 1_000_000, (bytes, at) => {
    const { size, attributes, baseSequence, count } = headerOf(bytes, at);
    assert.ok(size <= 2_000);
    assert.equal(attributes & 0x10, 0x10);
    if ((attributes & 0x20) === 0) sequences.push(baseSequence, baseSequence + count);
  });
  assert.deepEqual(
    sequences.slice(1, -1).filter((_, n) => n % 2 === 0),
    sequences.slice(2).filter((_, n) => n % 2 === 0),
  );
  assert.equal(sequences.at(-1), 31);
  await log.close();
});

test('what no topic takes is refused before a transaction is opened', async () => {
  const log = await open();
  await log.createTopic('t', { config: { 'max.message.bytes': 500 } });
  await log.createTopic('c', { config: { 'cleanup.policy': 'compact' } });
  const producer = await log.transactionalProducer('p');
  const good = to('t', 'good');
  await refused(producer.commit([good, to('t', 'x'.repeat(600))]), 'MESSAGE_TOO_LARGE');
  await refused(producer.commit([good, to('c', 'no key')]), 'INVALID_RECORD');
  await refused(producer.commit([good, to('t', 'x', { timestamp: -1 })]), 'INVALID_RECORD');
  await refused(producer.commit([good, to('u', 'x')]), 'UNKNOWN_TOPIC_OR_PARTITION');
  await refused(producer.commit([good, to('t', 'x', { partition: 1 })]), 'UNKNOWN_TOPIC_OR_PARTITION');
  assert.equal((await log.transactions()).describe('p').state, 'Empty');
  assert.equal(log.catalog.topic('t').partitions[0]!.end, 0);
  await producer.commit([good]);
  assert.deepEqual(valuesIn(log, 't'), ['good']);
  await log.close();
});

test('a disk that refuses a batch aborts the transaction, and the same producer goes on', async () => {
  const storage = new FaultyStorage();
  const log = await open(storage);
  await log.createTopic('t', { partitions: 2 });
  const producer = await log.transactionalProducer('p');
  storage.failWrite = (path) => path.includes('/t-1/');
  const records = [to('t', 'x', { partition: 0 }), to('t', 'y', { partition: 1 })];
  await refused(producer.commit(records), 'KAFKA_STORAGE_ERROR');
  storage.failWrite = () => false;
  assert.equal((await log.transactions()).describe('p').state, 'CompleteAbort');
  const { lastStableOffset, highWatermark } = log.catalog.topic('t').partitions[0]!;
  assert.equal(lastStableOffset, highWatermark, 'nobody waits for what was aborted');
  await producer.commit(records);
  assert.deepEqual([valuesIn(log, 't', 0), valuesIn(log, 't', 1)], [['x'], ['y']]);
  await log.close();
});

test('what is fenced in the middle of a large transaction writes nothing behind its abort', async () => {
  const log = await open();
  await log.createTopic('t', { partitions: 2 });
  const producer = await log.transactionalProducer('p');
  const large = Array.from({ length: 80 }, (_, n) => to('t', 'x'.repeat(100_000), { partition: n % 2 }));
  const committing = producer.commit(large);
  const fenced = refused(committing, 'PRODUCER_FENCED');
  const { partitions } = log.catalog.topic('t');
  while (partitions[0]!.highWatermark === 0) await undefined;
  const heir = await log.transactionalProducer('p');
  await fenced;
  await heir.commit([to('t', 'a', { partition: 0 }), to('t', 'b', { partition: 1 })]);
  assert.deepEqual([valuesIn(log, 't', 0), valuesIn(log, 't', 1)], [['a'], ['b']]);
  for (const { lastStableOffset, highWatermark } of partitions) assert.equal(lastStableOffset, highWatermark);
  await log.close();
});

test('a log that has stopped says so at once, instead of being waited for', async () => {
  const storage = new FaultyStorage();
  const log = await open(storage);
  await log.createTopic('t');
  const producer = await log.transactionalProducer('p');
  await producer.commit([to('t', 'x')]);
  const coordinator = await log.transactions();
  const { producerId, producerEpoch } = coordinator.describe('p');
  // The end is decided and cannot be carried out.
  await coordinator.addPartitions('p', { producerId, producerEpoch }, new Map([['t', new Set([0])]]));
  const { partitions } = log.catalog.topic('t');
  const batch = log.producer().send(to('t', 'other'));
  await batch;
  storage.failSync = (path) => path.includes('/t-0/');
  const ending = coordinator.end('p', { producerId, producerEpoch }, true);
  const waiting = producer.commit([to('t', 'y')]);
  await log
    .producer()
    .send(to('t', 'another'))
    .catch(() => undefined);
  await ending.catch(() => undefined);
  const stopped = { code: /COORDINATOR_NOT_AVAILABLE|KAFKA_STORAGE_ERROR/ };
  await assert.rejects(waiting, stopped);
  await assert.rejects(producer.commit([to('t', 'z')]), stopped, 'and to whoever comes later');
  assert.ok(partitions[0]!.error);
  await log.close();
});

test('records without a key are spread over the partitions', async () => {
  const log = await open();
  await log.createTopic('t', { partitions: 4 });
  const producer = await log.transactionalProducer('p');
  await producer.commit(Array.from({ length: 200 }, () => to('t', 'x'.repeat(1_000))));
  const counts = [0, 1, 2, 3].map((partition) => valuesIn(log, 't', partition).length);
  assert.ok(
    counts.every((count) => count > 20),
    String(counts),
  );
  await log.close();
});

test('a log that is opened after a crash carries out what was decided, though nobody asks for transactions', async () => {
  let storage = new FaultyStorage();
  const log = await open(storage);
  await log.createTopic('t');
  const producer = await log.transactionalProducer('p');
  await producer.commit([to('t', 'first')]);
  // The partition takes the record, and then no marker.
  const committing = producer.commit([to('t', 'decided')]);
  const coordinator = await log.transactions();
  while (coordinator.describe('p').state !== 'Ongoing') await undefined;
  while (log.catalog.topic('t').partitions[0]!.highWatermark < 3) await undefined;
  storage.failWrite = (path) => path.includes('/t-0/');
  await committing;
  assert.deepEqual(valuesIn(log, 't'), ['first']);
  storage = storage.afterKill();
  const again = await open(storage);
  await settled();
  assert.deepEqual(valuesIn(again, 't'), ['first', 'decided']);
  await again.close();
});

test('a log that is opened after a crash ends what was left open when its time is over, though nobody asks', async () => {
  let storage = new FaultyStorage();
  const log = await open(storage);
  await log.createTopic('t');
  const producer = await log.transactionalProducer('p');
  const committing = producer.commit([to('t', 'open')]);
  const [partition] = log.catalog.topic('t').partitions;
  while (partition!.highWatermark < 1) await undefined;
  storage = storage.afterKill();
  await committing.catch(() => undefined);
  const again = await open(storage);
  await again.producer().send(to('t', 'behind it'));
  assert.deepEqual(valuesIn(again, 't'), []);
  clock.advance(60_000);
  await settled();
  assert.deepEqual(valuesIn(again, 't'), ['behind it']);
  await again.close();
});

test('a broker over the open log and producers in the process are one: they fence each other, and the broker may go', async (t) => {
  const log = await openLog({ directory: ownDirectory(t) });
  t.after(() => log.close());
  await log.createTopic('t');
  const local = await log.transactionalProducer('p');
  await local.commit([to('t', 'local')]);
  const broker = await Broker.start({ log, settings: { 'transaction.max.timeout.ms': 5_000 } });
  const client = await TestClient.connect(broker.port, broker.host);
  const init = { transactionalId: 'p', transactionTimeoutMs: 5_000, producerId: -1, producerEpoch: -1 };
  const remote = await client.call(InitProducerId, 4, init);
  assert.equal(remote.errorCode, 0);
  await refused(local.commit([to('t', 'zombie')]), 'PRODUCER_FENCED');
  const { producerId, producerEpoch } = remote;
  const topics = [{ name: 't', partitions: [0] }];
  const v3AndBelowTopics = topics;
  const add = {
    v3AndBelowTransactionalId: 'p',
    v3AndBelowProducerId: producerId,
    v3AndBelowProducerEpoch: producerEpoch,
  };
  const added = await client.call(AddPartitionsToTxn, 3, { ...add, v3AndBelowTopics, transactions: [] } as never);
  assert.equal(added.resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode, 0);
  // The broker's own limits hold from its start on, for producers of this process as well.
  await log.transactionalProducer('q');
  assert.equal((await (log as DirectoryLog).transactions()).describe('q').timeoutMs, 5_000);
  await broker.close();
  const other = await Broker.start({ log });
  const next = await log.transactionalProducer('p');
  const back = await TestClient.connect(other.port, other.host);
  const end = { transactionalId: 'p', producerId, producerEpoch, committed: true };
  assert.notEqual((await back.call(EndTxn, 3, end)).errorCode, 0, 'what the fenced one had open was aborted');
  await other.close();
  await next.commit([to('t', 'after the brokers')]);
  assert.deepEqual(valuesIn(log as DirectoryLog, 't'), ['local', 'after the brokers']);
});
