import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BatchBuilder } from './batch-builder.ts';
import { compressLike } from './decompress.ts';
import { FaultyStorage, seededRandom } from './faulty-storage.ts';
import { type DirectoryLog, openDirectoryLog } from './log.ts';
import { ManualClock } from './manual-clock.ts';
import type { Partition } from './partition.ts';
import { HEADER_BYTES, headerOf, setChecksum } from './record-batch.ts';

const HOUR = 3_600_000;
const config = {
  'cleanup.policy': 'compact',
  'min.cleanable.dirty.ratio': 0,
  'segment.bytes': 600,
  'delete.retention.ms': HOUR,
} as const;

interface Write {
  readonly key: string;
  /** A tombstone when null. */
  readonly value: string | null;
}

async function open(storage: FaultyStorage, clock: ManualClock, compactionMapBytes?: number): Promise<DirectoryLog> {
  const map = compactionMapBytes === undefined ? {} : { compactionMapBytes };
  return openDirectoryLog({ directory: '/data', storage, clock, random: seededRandom(1), ...map });
}

function partitionOf(log: DirectoryLog): Partition {
  return log.catalog.topic('t').partitions[0]!;
}

/** A batch as a client sends it. */
function batchOf(
  writes: readonly Write[],
  now: number,
  codec = 0,
  producer?: { id: number; sequence: number; open?: boolean },
): Buffer {
  const builder = new BatchBuilder();
  for (const { key, value } of writes) {
    builder.add(now, Buffer.from(key), value === null ? null : Buffer.from(value), [
      { key: 'h', value: Buffer.from(key) },
    ]);
  }
  const batch = Buffer.from(
    builder.finish(
      producer && {
        producerId: producer.id,
        producerEpoch: 0,
        baseSequence: producer.sequence,
        attributes: producer.open === true ? 0x10 : 0,
      },
    ),
  );
  if (codec === 0) return batch;
  const packed = Buffer.concat([
    batch.subarray(0, HEADER_BYTES),
    compressLike(codec, batch.subarray(HEADER_BYTES), batch),
  ]);
  packed.writeInt32BE(packed.length - 12, 8);
  packed[22]! |= codec;
  setChecksum(packed);
  return packed;
}

async function durable(partition: Partition): Promise<void> {
  const { end } = partition;
  await new Promise<void>((resolve, reject) =>
    partition.whenReadable(end, (error) => (error ? reject(error) : resolve())),
  );
}

async function settled(): Promise<void> {
  for (let n = 0; n < 60; n++) await undefined;
}

/** Lets one look of the compactor, and all that it does, happen. */
async function compacted(clock: ManualClock): Promise<void> {
  await settled();
  clock.advance(15_000);
  for (let n = 0; n < 10; n++) {
    await settled();
    clock.advance(20);
  }
}

interface Found {
  readonly offset: number;
  readonly key: string;
  readonly value: string | null;
}

function recordsOf(log: DirectoryLog): Found[] {
  const found: Found[] = [];
  const { earliest, latest } = log.offsets('t', 0);
  for (let offset = earliest; offset < latest; ) {
    const { records, nextOffset } = log.read('t', 0, offset, 500);
    for (const { offset: at, key, value } of records) {
      found.push({ offset: at, key: Buffer.from(key!).toString(), value: value && Buffer.from(value).toString() });
    }
    assert.ok(nextOffset > offset);
    offset = nextOffset;
  }
  return found;
}

/** The latest of each key up to `clean`, and all from there on; with or without tombstones before it. */
function model(all: readonly Found[], clean: number, tombstones: boolean): Found[] {
  const latest = new Map<string, number>();
  for (const { key, offset } of all) if (offset < clean) latest.set(key, offset);
  return all.filter(
    ({ key, offset, value }) => offset >= clean || (latest.get(key) === offset && (tombstones || value !== null)),
  );
}

const writes = fc.array(
  fc.record({
    key: fc.constantFrom('a', 'b', 'c', 'd', 'ä', 'e'),
    value: fc.option(fc.string({ maxLength: 60 }), { freq: 4 }),
  }),
  { minLength: 1, maxLength: 6 },
);
const batches = fc.array(fc.tuple(writes, fc.constantFrom(0, 0, 1, 2, 3, 4)), { minLength: 5, maxLength: 40 });

test('after compaction there is of each key the latest, at its offset and in its order, whatever was written', async () => {
  await fc.assert(
    fc.asyncProperty(batches, fc.constantFrom(undefined, 250), async (sent, mapBytes) => {
      const storage = new FaultyStorage();
      const clock = new ManualClock();
      let log = await open(storage, clock, mapBytes);
      await log.createTopic('t', { config });
      const all: Found[] = [];
      const write = async (list: typeof sent) => {
        const partition = partitionOf(log);
        for (const [records, codec] of list) {
          const base = partition.appendFromClient(batchOf(records, clock.now(), codec)).baseOffset;
          for (const [n, { key, value }] of records.entries()) all.push({ offset: base + n, key, value });
          await durable(partition);
        }
      };
      await write(sent.slice(0, sent.length / 2));
      await compacted(clock);
      await write(sent.slice(sent.length / 2));
      // A small map takes several.
      for (let n = 0; n < 30; n++) await compacted(clock);
      const clean = partitionOf(log).closedSegments().end;
      const check = () => assert.deepEqual(recordsOf(log), model(all, clean, true));
      check();
      await log.close();
      log = await open(storage, clock, mapBytes);
      check();
      clock.advance(2 * HOUR);
      await compacted(clock);
      check();
      const { latest } = log.offsets('t', 0);
      assert.equal(latest, all.length, 'no offset is given twice');
      await log.close();
    }),
    { numRuns: 30 },
  );
});

test('tombstones stay for delete.retention.ms after they were first compacted, and go with the next compaction', async () => {
  const clock = new ManualClock();
  const log = await open(new FaultyStorage(), clock);
  await log.createTopic('t', { config });
  const partition = partitionOf(log);
  const write = async (...records: Write[]) => {
    for (const record of records) partition.appendFromClient(batchOf([record], clock.now()));
    await durable(partition);
  };
  const fill = (name: string) => write(...Array.from({ length: 8 }, () => ({ key: name, value: name.repeat(60) })));
  await write({ key: 'gone', value: 'x' }, { key: 'stays', value: 'y' }, { key: 'gone', value: null });
  await fill('f');
  await compacted(clock);
  const keys = () => [...new Set(recordsOf(log).map(({ key }) => key))].sort();
  assert.deepEqual(keys(), ['f', 'gone', 'stays']);
  const { timestamp } = log.read('t', 0, 2).records[0]!;
  assert.ok(timestamp < clock.now() && timestamp > clock.now() - 60_000, 'a horizon does not change a timestamp');
  clock.advance(HOUR - 60_000);
  await fill('f');
  await compacted(clock);
  assert.deepEqual(keys(), ['f', 'gone', 'stays'], 'not yet');
  clock.advance(60_000);
  await fill('f');
  await compacted(clock);
  assert.deepEqual(keys(), ['f', 'stays']);
});

test('of an aborted transaction nothing stays, and of one that is open nothing is touched', async () => {
  const clock = new ManualClock();
  const storage = new FaultyStorage();
  let log = await open(storage, clock);
  await log.createTopic('t', { config });
  const partition = partitionOf(log);
  const send = (key: string, value: string | null, id: number, sequence: number) =>
    partition.appendFromClient(batchOf([{ key, value }], clock.now(), 0, { id, sequence, open: id < 9 }));
  const marker = (producerId: number, commit: boolean) =>
    partition.appendMarker({ producerId, producerEpoch: 0, coordinatorEpoch: 0, commit });
  send('a', 'kept', 9, 0);
  send('a', 'aborted', 1, 0);
  send('b', 'committed', 2, 0);
  marker(1, false);
  marker(2, true);
  for (let n = 0; n < 10; n++) send('f', 'f'.repeat(60), 9, 1 + n);
  const open3 = send('a', 'open', 3, 0).baseOffset;
  for (let n = 0; n < 10; n++) send('f', 'f'.repeat(60), 9, 11 + n);
  await durable(partition);
  const dataBatches = () => {
    const found: string[] = [];
    for (let offset = partition.start; offset < partition.highWatermark; ) {
      partition.eachBatch(offset, 1e9, (bytes, at) => {
        const { baseOffset, attributes, count, producerId, lastOffsetDelta } = headerOf(bytes, at);
        found.push(`${baseOffset}:${producerId}${(attributes & 0x20) !== 0 ? 'm' : ''}${count === 0 ? '-' : ''}`);
        offset = baseOffset + lastOffsetDelta + 1;
      });
    }
    return found;
  };
  await compacted(clock);
  const first = dataBatches();
  // The producers' last batches stay without their records, the markers until their horizon.
  assert.deepEqual(first.slice(0, 5), ['0:9', '1:1-', '2:2', '3:1m', '4:2m']);
  assert.ok(first.includes(`${open3}:3`));
  assert.equal(recordsOf(log).find(({ key }) => key === 'a')?.value, 'kept');
  await log.close();
  log = await open(storage, clock);
  assert.throws(
    () => partitionOf(log).appendFromClient(batchOf([{ key: 'x', value: '' }], clock.now(), 0, { id: 1, sequence: 5 })),
    {
      code: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
    },
  );
  await log.close();
});

test('the last offset survives when nothing of the last records does, and is not given again', async () => {
  const clock = new ManualClock();
  const storage = new FaultyStorage();
  let log = await open(storage, clock);
  await log.createTopic('t');
  // Without keys: a compacted topic keeps none of them.
  for (let n = 0; n < 3; n++) await log.producer().send({ topic: 't', value: Buffer.from('x') });
  await log.alterTopic('t', { ...config, 'max.compaction.lag.ms': 1 });
  await compacted(clock);
  await compacted(clock);
  assert.deepEqual(recordsOf(log), []);
  assert.deepEqual(log.offsets('t', 0), { earliest: 0, latest: 3 });
  await log.close();
  log = await open(storage, clock);
  assert.deepEqual(log.offsets('t', 0), { earliest: 0, latest: 3 });
  assert.equal((await log.producer().send({ topic: 't', key: Buffer.from('k'), value: null })).offset, 3);
  assert.deepEqual(recordsOf(log), [{ offset: 3, key: 'k', value: null }]);
  await log.close();
});

test('a producer in this process, too, hears that a compacted topic takes no record without a key', async () => {
  const log = await open(new FaultyStorage(), new ManualClock());
  await log.createTopic('t', { config });
  await assert.rejects(log.producer().send({ topic: 't', value: Buffer.from('x') }), {
    code: 'INVALID_RECORD',
    message: /'t' is compacted, so a record needs a key/,
  });
  assert.equal(log.offsets('t', 0).latest, 0);
  await log.close();
});

test('what is only compacted is kept whatever retention says', async () => {
  const clock = new ManualClock();
  const log = await open(new FaultyStorage(), clock);
  await log.createTopic('t', { config: { ...config, 'retention.ms': 1, 'retention.bytes': 1 } });
  const partition = partitionOf(log);
  const records = ['a', 'b', 'c', 'd'].map((key) => ({ key, value: key.repeat(300) }));
  for (const record of records) partition.appendFromClient(batchOf([record], clock.now()));
  await durable(partition);
  clock.advance(300_000);
  await settled();
  assert.equal(log.offsets('t', 0).earliest, 0);
  assert.equal(recordsOf(log).length, 4);
  await log.alterTopic('t', { 'cleanup.policy': 'compact,delete' });
  clock.advance(300_000);
  await settled();
  assert.ok(log.offsets('t', 0).earliest > 0);
  await log.close();
});

test('records younger than min.compaction.lag.ms are left, and a topic that is not dirty enough, too', async () => {
  const clock = new ManualClock();
  const log = await open(new FaultyStorage(), clock);
  await log.createTopic('t', {
    config: { ...config, 'min.compaction.lag.ms': HOUR, 'min.cleanable.dirty.ratio': 0.9 },
  });
  const partition = partitionOf(log);
  const fill = async () => {
    for (let n = 0; n < 8; n++)
      partition.appendFromClient(batchOf([{ key: 'f', value: 'f'.repeat(200) }], clock.now()));
    await durable(partition);
  };
  await fill();
  await compacted(clock);
  assert.equal(recordsOf(log).length, 8, 'too young');
  clock.advance(HOUR);
  await compacted(clock);
  const left = recordsOf(log).length;
  assert.ok(left < 8, `${left}`);
  await fill();
  clock.advance(HOUR);
  await log.alterTopic('t', { 'min.cleanable.dirty.ratio': 1 });
  await compacted(clock);
  assert.equal(recordsOf(log).length, left + 8, 'not dirty enough');
  await log.alterTopic('t', { 'max.compaction.lag.ms': HOUR });
  await compacted(clock);
  assert.ok(recordsOf(log).length < left + 8, 'overdue');
  await log.close();
});

/** What the outside world was told, and when. */
class Witness {
  readonly sent: Found[] = [];
  acked = 0;
}

async function load(storage: FaultyStorage, clock: ManualClock, witness: Witness): Promise<void> {
  const log = await open(storage, clock);
  await log.createTopic('t', { config: { ...config, 'segment.bytes': 400 } });
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 10; n++) {
      const key = `k${(n * 7 + round) % 5}`;
      const value = n % 6 === 5 ? null : `${round}.${n}`.repeat(10);
      const partition = partitionOf(log);
      witness.sent.push({ offset: witness.sent.length, key, value });
      partition.appendFromClient(batchOf([{ key, value }], clock.now(), n % 5));
      await durable(partition);
      witness.acked = witness.sent.length;
      clock.advance(5);
    }
    // Larger ones, so that several become one.
    if (round > 0) await log.alterTopic('t', { 'segment.bytes': 1000 });
    await compacted(clock);
  }
  await log.close();
}

async function verify(storage: FaultyStorage, now: number, witness: Witness): Promise<void> {
  const clock = new ManualClock(now);
  let log = await open(storage, clock);
  if (log.topics().includes('t')) {
    const check = (clean?: number) => {
      const { error } = log.describeTopic('t').partitions[0]!;
      assert.equal(error, undefined, `a power cut is no corruption: ${error?.message}`);
      const { latest } = log.offsets('t', 0);
      assert.ok(latest >= witness.acked && latest <= witness.sent.length);
      const found = recordsOf(log);
      for (const record of found) assert.deepEqual(record, witness.sent[record.offset]);
      const written = witness.sent.slice(0, latest);
      for (const record of model(written, clean ?? latest, true)) {
        assert.ok(
          found.some(({ offset }) => offset === record.offset),
          `lost the latest of ${record.key}`,
        );
      }
      if (clean !== undefined) assert.deepEqual(found, model(written, clean, true));
      const names = storage.list('/data/t-0').filter((name) => /swap|cleaned/.test(name));
      assert.deepEqual(names, []);
    };
    check();
    await compacted(clock);
    const clean = partitionOf(log).closedSegments().end;
    check(clean);
    await log.close();
    log = await open(storage, clock);
    check(clean);
  }
  await log.close();
}

test('a power cut or a kill at any operation of a compaction loses no latest record and looks like no corruption', async () => {
  const calm = new FaultyStorage();
  const calmWitness = new Witness();
  await load(calm, new ManualClock(), calmWitness);
  await verify(calm, new ManualClock().now() + HOUR / 2, calmWitness);
  for (let cutAt = 1; cutAt <= calm.operations; cutAt++) {
    for (const kind of ['cut', cutAt % 2 === 0 ? 'cut again' : 'kill'] as const) {
      const storage = new FaultyStorage();
      const clock = new ManualClock();
      const witness = new Witness();
      storage.cutAt = cutAt;
      // A compaction that meets the cut leaves the load waiting for nothing.
      await load(storage, clock, witness).catch((error) => {
        if (error instanceof assert.AssertionError) throw error;
      });
      const random = seededRandom(cutAt * 10 + kind.length);
      let found = kind === 'kill' ? storage.afterKill() : storage.afterPowerCut(random);
      try {
        if (kind === 'cut again') {
          found.cutAt = 1 + Math.floor(random() * 30);
          await open(found, new ManualClock(clock.now())).catch(() => undefined);
          found = found.afterPowerCut(random);
        }
        await verify(found, clock.now(), witness);
      } catch (error) {
        throw new Error(`${kind} at operation ${cutAt} of ${calm.operations}`, { cause: error });
      }
    }
  }
});
