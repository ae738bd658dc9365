import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TopicConfig } from './api.ts';
import { batchOf, durable, NOW, type Opened, valuesIn } from './client.fixture.ts';
import { FaultyStorage, seededRandom } from './faulty-storage.ts';
import { openDirectoryLog } from './log.ts';
import { ManualClock } from './manual-clock.ts';

/** What retention and the questions for offsets make of transactions, and of records that say no time. */
const HOUR = 3_600_000;

async function open(config: Partial<TopicConfig>): Promise<Opened> {
  const clock = new ManualClock(NOW);
  const storage = new FaultyStorage();
  const options = { directory: '/data', storage, clock, random: seededRandom(1), retentionCheckInterval: 1000 };
  const log = await openDirectoryLog(options);
  await log.createTopic('t', { config });
  return { storage, clock, log, partition: log.catalog.topic('t').partitions[0]! };
}

/** Lets retention look, and waits until it has. */
async function looked({ clock, log }: Opened): Promise<void> {
  clock.advance(1000);
  await log.directory.commit.exclusively(async () => undefined);
}

const transactional = (value: string, sequence: number) =>
  batchOf([value], { producerId: 7, sequence, transactional: true });

test('records that say no time are kept as long as if they had said when they were written', async () => {
  const all = await open({ 'retention.ms': HOUR, 'segment.bytes': 300 });
  const { partition, clock } = all;
  const send = () => partition.appendFromClient(batchOf(['x'.repeat(100)], { timestamp: -1 }));
  for (let n = 0; n < 5; n++) await durable(partition, send());
  await looked(all);
  assert.equal(valuesIn(partition).length, 5);
  clock.advance(HOUR / 2);
  for (let n = 0; n < 5; n++) await durable(partition, send());
  clock.advance(HOUR / 2);
  await looked(all);
  assert.ok(partition.start >= 4 && partition.start <= 5, `what was written an hour ago goes: ${partition.start}`);
  clock.advance(HOUR);
  await looked(all);
  assert.equal(valuesIn(partition).length, 0);
});

test('what retention takes of an open transaction holds back no reader of committed records', async () => {
  const all = await open({ 'retention.bytes': 400, 'segment.bytes': 300 });
  const { partition } = all;
  await durable(partition, partition.appendFromClient(transactional('x'.repeat(100), 0)));
  for (let n = 0; n < 8; n++) await durable(partition, partition.appendFromClient(batchOf(['y'.repeat(100)])));
  assert.equal(partition.lastStableOffset, 0);
  await looked(all);
  assert.ok(partition.start > 0);
  assert.equal(partition.lastStableOffset, partition.start, 'it is still open');
  const end = { producerId: 7, producerEpoch: 0, coordinatorEpoch: 0, commit: false };
  await durable(partition, partition.appendMarker(end));
  assert.equal(partition.lastStableOffset, 10);
  assert.equal(valuesIn(partition).length, 9 - partition.start);
});

test('the latest time of a partition that ends with a marker is the marker, as in Kafka', async () => {
  const { partition, clock } = await open({});
  await durable(partition, partition.appendFromClient(transactional('a', 0)));
  clock.advance(50);
  const end = { producerId: 7, producerEpoch: 0, coordinatorEpoch: 0, commit: true };
  await durable(partition, partition.appendMarker(end));
  assert.deepEqual(partition.latestByTime(partition.highWatermark), { offset: 1, timestamp: NOW + 50 });
  assert.deepEqual(partition.firstSince(NOW + 1, partition.highWatermark), { offset: 1, timestamp: NOW + 50 });
});
