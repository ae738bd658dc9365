import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Log } from './api.ts';
import { FaultyStorage, seededRandom } from './faulty-storage.ts';
import { openLog } from './log.ts';
import { ManualClock } from './manual-clock.ts';

const SEGMENT = '/data/t-0/00000000000000000000.log';

async function open(storage: FaultyStorage, clock = new ManualClock()): Promise<Log> {
  return openLog({ directory: '/data', storage, clock, random: seededRandom(1) });
}

/** One batch per value. */
async function append(log: Log, ...values: string[]): Promise<void> {
  const producer = log.producer();
  for (const value of values) await producer.send({ topic: 't', partition: 0, value: Buffer.from(value) });
}

function valuesOf(log: Log, from = 0): string[] {
  const found: string[] = [];
  const { latest } = log.offsets('t', 0);
  for (let offset = from; offset < latest; ) {
    const { records, nextOffset } = log.read('t', 0, offset);
    for (const { value } of records) found.push(Buffer.from(value!).toString());
    offset = nextOffset;
  }
  return found;
}

async function filled(...values: string[]): Promise<FaultyStorage> {
  const storage = new FaultyStorage();
  const log = await open(storage);
  await log.createTopic('t');
  await append(log, ...values);
  await log.close();
  return storage;
}

/** The same, killed with its marks as they were when the topic was made. */
async function unmarked(...values: string[]): Promise<FaultyStorage> {
  const storage = new FaultyStorage();
  const log = await open(storage);
  await log.createTopic('t');
  await append(log, ...values);
  return storage.afterKill();
}

/** Where the nth batch begins, of batches of one-letter values. */
const at = (n: number) => n * 69;

test('damage below the mark is corruption: nothing is cut, writes are refused, the error says where', async () => {
  const storage = await filled('a', 'b', 'c');
  const before = storage.bytesOf(SEGMENT);
  storage.flip(SEGMENT, at(1) + 65);
  const log = await open(storage);
  const where = /topic 't' partition 0: the batch at offset 1 was durable and is damaged/;
  await assert.rejects(append(log, 'd'), where);
  await assert.rejects(append(log, 'd'), { code: 'CORRUPT_MESSAGE', retriable: false });
  assert.match(log.describeTopic('t').partitions[0]!.error!.message, where);
  assert.deepEqual(log.offsets('t', 0), { earliest: 0, latest: 3 });
  assert.equal(log.read('t', 0, 0).nextOffset, 1, 'what stands before the damage is served');
  assert.throws(() => log.read('t', 0, 1), where);
  assert.equal(Buffer.from(log.read('t', 0, 2).records[0]!.value!).toString(), 'c', 'and what stands behind it');
  await log.close();
  assert.equal(storage.bytesOf(SEGMENT).length, before.length);
});

test('a batch that is whole but stands where another offset belongs is damage too', async () => {
  const storage = await filled('a', 'b');
  storage.flip(SEGMENT, at(1) + 7);
  await assert.rejects(append(await open(storage), 'c'), /the batch at offset 1 .*it says that its offset is 254/);
  const read = await filled('a', 'b');
  const log = await open(read);
  read.flip(SEGMENT, at(1) + 7);
  assert.throws(() => log.read('t', 0, 1), /the batch at offset 1 was durable/);
});

test('a corrupt partition leaves the others alone', async () => {
  const storage = await filled('a');
  storage.flip(SEGMENT, 65);
  const log = await open(storage);
  await log.createTopic('sound');
  assert.equal((await log.producer().send({ topic: 'sound', value: null })).offset, 0);
  await log.close();
});

test('a file that lost its end, or is gone, below the mark is corruption', async () => {
  const short = await filled('a', 'b');
  short.open(SEGMENT, false).truncate(at(1) + 10);
  await assert.rejects(append(await open(short), 'c'), /the batch at offset 1 was durable and is damaged/);
  const gone = await filled('a', 'b');
  gone.remove(SEGMENT);
  const log = await open(gone);
  await assert.rejects(append(log, 'c'), /the batch at offset 0 .*its segment is missing/);
  assert.throws(() => log.read('t', 0, 0), /offset 0 was durable/);
});

test('damage above the mark is a torn tail: it is cut with what follows, and writing goes on', async () => {
  const storage = await unmarked('a', 'b', 'c');
  storage.flip(SEGMENT, at(1) + 65);
  const log = await open(storage);
  assert.equal(log.describeTopic('t').partitions[0]!.error, undefined);
  assert.deepEqual(valuesOf(log), ['a']);
  await append(log, 'd');
  assert.deepEqual(valuesOf(log), ['a', 'd']);
});

test('what was cut never comes back behind a new batch of the same size', async () => {
  const storage = await unmarked('a', 'b');
  storage.flip(SEGMENT, 65);
  const log = await open(storage);
  await append(log, 'x');
  assert.deepEqual(valuesOf(await open(storage.afterKill())), ['x']);
});

test('the mark follows what was synced within 20 ms, and then damage is corruption', async () => {
  const storage = new FaultyStorage();
  const clock = new ManualClock();
  const log = await open(storage, clock);
  await log.createTopic('t');
  await append(log, 'a');
  clock.advance(20);
  await log.createTopic('later'); // Stands in the line for the disk behind the mark.
  const killed = storage.afterKill();
  killed.flip(SEGMENT, 65);
  await assert.rejects(append(await open(killed), 'b'), { code: 'CORRUPT_MESSAGE' });
});

test('one spoilt copy of a mark is survived; two refuse writes', async () => {
  const storage = await filled('a', 'b');
  const cell = 2 * 128;
  storage.flip('/data/recovery-point', cell + 30);
  const log = await open(storage);
  await append(log, 'c');
  assert.deepEqual(valuesOf(log), ['a', 'b', 'c']);
  await log.close();
  storage.flip('/data/recovery-point', cell + 30);
  storage.flip('/data/recovery-point', cell + 64 + 30);
  const refusing = await open(storage);
  await assert.rejects(append(refusing, 'd'), /both copies of its recovery point are damaged/);
  assert.deepEqual(valuesOf(refusing), ['a', 'b', 'c']);
});

test('a data directory without its recovery points is not opened as if it were empty', async () => {
  const storage = await filled('a');
  storage.remove('/data/recovery-point');
  await assert.rejects(open(storage), /recovery-point is missing or damaged although \/data holds data/);
});

test('a damaged metadata log stops the opening and names the offset', async () => {
  const storage = await filled('a');
  storage.flip('/data/__cluster_metadata-0/00000000000000000000.log', 70);
  await assert.rejects(open(storage), /topic '__cluster_metadata' partition 0: the batch at offset 0/);
  await assert.rejects(open(storage), { code: 'CORRUPT_MESSAGE' }, 'and gives the directory up');
});

test('lost or damaged index files are rebuilt', async () => {
  const storage = new FaultyStorage();
  const log = await open(storage);
  await log.createTopic('t', { config: { 'segment.bytes': 30_000 } });
  const values = Array.from({ length: 40 }, (_, n) => `${n}`.padEnd(2000, '.'));
  await append(log, ...values);
  await log.close();
  for (const name of storage.list('/data/t-0')) {
    if (name.endsWith('.index')) storage.remove(`/data/t-0/${name}`);
    if (name.endsWith('.timeindex')) storage.open(`/data/t-0/${name}`, false).write(Buffer.alloc(24), 12);
  }
  const again = await open(storage);
  for (let n = 0; n < 40; n++) assert.equal(valuesOf(again, n)[0], values[n]);
  await append(again, 'more');
  assert.equal(valuesOf(again).length, 41);
});

test('a read that meets damage stops the writes of that partition from then on', async () => {
  const storage = await filled('a', 'b');
  const log = await open(storage);
  storage.flip(SEGMENT, at(1) + 65);
  assert.deepEqual(log.read('t', 0, 0).nextOffset, 1);
  await append(log, 'c');
  assert.throws(() => log.read('t', 0, 1), /the batch at offset 1 was durable and is damaged/);
  await assert.rejects(append(log, 'd'), { code: 'CORRUPT_MESSAGE' });
});
