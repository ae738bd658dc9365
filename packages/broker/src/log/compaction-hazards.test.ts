import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TopicConfig } from './api.ts';
import { BatchBuilder } from './batch-builder.ts';
import { durable, NOW, opened, valuesIn } from './client.fixture.ts';
import { Compaction } from './compaction.ts';
import { compressLike } from './decompress.ts';
import { FaultyStorage } from './faulty-storage.ts';
import type { DirectoryLog } from './log.ts';
import type { ManualClock } from './manual-clock.ts';
import type { Partition } from './partition.ts';
import { HEADER_BYTES, setChecksum } from './record-batch.ts';

/** What compaction meets besides the records of well-meant producers: topics that go, full disks, forged batches. */
const compacting: Partial<TopicConfig> = {
  'cleanup.policy': 'compact',
  'min.cleanable.dirty.ratio': 0,
  'segment.bytes': 600,
};

type Pair = readonly [key: string, value: string | null];

interface Sender {
  readonly producerId?: number;
  readonly sequence?: number;
  readonly transactional?: boolean;
}

function batchOf(
  pairs: readonly Pair[],
  { producerId = -1, sequence = 0, transactional = false }: Sender = {},
): Buffer {
  const builder = new BatchBuilder();
  for (const [key, value] of pairs) builder.add(NOW, Buffer.from(key), value === null ? null : Buffer.from(value), []);
  const numbers =
    producerId < 0 ? { producerEpoch: -1, baseSequence: -1 } : { producerEpoch: 0, baseSequence: sequence };
  return Buffer.from(builder.finish({ producerId, ...numbers, attributes: transactional ? 0x10 : 0 }));
}

/** Records that no producer of good faith writes, behind a right checksum. Only a log of Kafka's files can hold them. */
function forged(pairs: readonly Pair[], records: Buffer): Buffer {
  const like = batchOf(pairs);
  const packed = compressLike(1, records, records);
  const batch = Buffer.concat([like.subarray(0, HEADER_BYTES), packed]);
  batch.writeInt32BE(batch.length - 12, 8);
  batch[22]! |= 1;
  setChecksum(batch);
  return batch;
}

/** A record as it stands in a batch, of short fields, with these bytes as its timestamp and offset deltas. */
function record(timestampDelta: readonly number[], offsetDelta: readonly number[], key: string, value: string): Buffer {
  const field = (text: string) => Buffer.concat([Buffer.from([text.length * 2]), Buffer.from(text)]);
  const body = Buffer.concat([
    Buffer.from([0, ...timestampDelta, ...offsetDelta]),
    field(key),
    field(value),
    Buffer.from([0]),
  ]);
  return Buffer.concat([Buffer.from([body.length * 2]), body]);
}

async function append(partition: Partition, ...batches: readonly Buffer[]): Promise<void> {
  for (const batch of batches) await durable(partition, partition.appendFromClient(batch));
}

/** Closes the segments before, so that they may be compacted. */
async function filled(partition: Partition, key = 'fill'): Promise<void> {
  for (let n = 0; n < 3; n++) await append(partition, batchOf([[key, key.repeat(80)]]));
}

async function settled(): Promise<void> {
  for (let n = 0; n < 60; n++) await undefined;
}

async function compacted(clock: ManualClock): Promise<void> {
  await settled();
  clock.advance(15_000);
  for (let n = 0; n < 10; n++) {
    await settled();
    clock.advance(20);
  }
}

function compaction(log: DirectoryLog, partition: Partition, before: () => void): Promise<void> {
  const { clock, commit, points } = log.directory;
  const line = Object.create(commit, {
    exclusively: {
      value: (work: () => Promise<void>) => {
        before();
        return commit.exclusively(work);
      },
    },
  });
  const run = new Compaction({ partition, clock, commit: line, points, mapBytes: 1e6, pause: async () => undefined });
  const { segments, end } = partition.closedSegments();
  return run.run(segments, end);
}

test('a topic that is deleted just before its compaction is done takes no other topic with it', async () => {
  const { log, partition, clock } = await opened(compacting);
  await log.createTopic('u');
  for (const key of ['a', 'b', 'c', 'd']) await append(partition, batchOf([[key, key.repeat(400)]]));
  let deleted: Promise<void> | undefined;
  await compaction(log, partition, () => {
    deleted ??= log.deleteTopic('t');
  }).catch(() => undefined);
  await deleted;
  clock.advance(20);
  await settled();
  const { offset } = await log.producer().send({ topic: 'u', value: Buffer.from('x') });
  assert.equal(offset, 0);
  await log.close();
});

test('a disk that is full when a segment is to be closed for compaction does not stop the process', async () => {
  const storage = new FaultyStorage();
  const { log, partition, clock } = await opened(compacting, storage);
  await log.createTopic('u', { config: { ...compacting, 'segment.ms': 60_000 } });
  await filled(partition);
  await append(log.catalog.topic('u').partitions[0]!, batchOf([['a', 'b']]));
  clock.advance(70_000);
  await settled();
  let refused = 0;
  storage.failWrite = (path) => {
    if (!path.includes('/u-0/')) return false;
    if (++refused > 1000) throw new Error('it tries without end');
    return true;
  };
  await filled(partition);
  await compacted(clock);
  assert.ok(refused > 0 && refused < 10, `${refused}`);
  storage.failWrite = () => false;
  await log.close();
});

test('a record at a forged offset outdates nothing', async () => {
  const { log, partition, clock } = await opened(compacting);
  const far = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
  await append(partition, batchOf([['k', 'good']]));
  partition.append(forged([['k', 'x']], record([0], far, 'k', 'forged')));
  await filled(partition);
  await compacted(clock);
  const { records } = partition.read(0, 1);
  assert.deepEqual(
    records.map(({ value }) => Buffer.from(value!).toString()),
    ['good'],
  );
  await log.close();
});

test('a forged timestamp does not keep a partition from being compacted', async () => {
  const { log, partition, clock } = await opened(compacting);
  const far = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f];
  const records = Buffer.concat([record([0], [0], 'fill', 'x'), record(far, [2], 'k', 'y')]);
  await append(partition, batchOf([['a', 'old']]));
  const like: readonly Pair[] = [
    ['fill', 'x'],
    ['k', 'y'],
  ];
  partition.append(forged(like, records));
  await append(partition, batchOf([['a', 'new']]));
  await filled(partition);
  const before = partition.bytes;
  await compacted(clock);
  assert.ok(partition.bytes < before);
  assert.ok(partition.firstDirty > 0);
  await log.close();
});

test('tombstones that are never to go keep their timestamps', async () => {
  const { log, partition, clock } = await opened({ ...compacting, 'delete.retention.ms': Number.MAX_SAFE_INTEGER });
  await append(partition, batchOf([['gone', 'x']]), batchOf([['gone', null]]));
  await filled(partition);
  await compacted(clock);
  const { records } = partition.read(1, 100);
  assert.deepEqual(
    records.map(({ offset, timestamp, value }) => ({ offset, timestamp, value })),
    [{ offset: 1, timestamp: NOW, value: null }],
  );
  await log.close();
});

test('what a producer commits after it aborted outdates what was there before', async () => {
  const { log, partition, clock } = await opened({ ...compacting, 'delete.retention.ms': 1000 });
  const marker = (commit: boolean) =>
    partition.appendMarker({ producerId: 1, producerEpoch: 0, coordinatorEpoch: 0, commit });
  const mine = (sequence: number, pair: Pair) => batchOf([pair], { producerId: 1, sequence, transactional: true });
  await append(partition, batchOf([['k', 'old']]), mine(0, ['x', 'x'.repeat(480)]));
  // The abort stands in a segment in which compaction finds nothing to do, and beside one too large to be joined with it.
  await append(partition, batchOf([['only', 'o'.repeat(300)]]));
  await durable(partition, marker(false));
  await append(partition, batchOf([['only2', 'o'.repeat(300)]]));
  await compacted(clock);
  await append(partition, mine(1, ['k', null]));
  await durable(partition, marker(true));
  for (let n = 0; n < 3; n++) {
    await filled(partition);
    await compacted(clock);
  }
  assert.ok(!valuesIn(partition).includes('old'), 'deleted, and deleted it stays');
  await log.close();
});
