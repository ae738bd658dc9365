import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Log, LogOptions } from './api.ts';
import { FaultyStorage, seededRandom } from './faulty-storage.ts';
import { openLog } from './log.ts';
import { ManualClock } from './manual-clock.ts';
import { partitionForKey } from './partitioner.ts';

const bytes = (text: string) => Buffer.from(text);
const text = (value: Uint8Array | null) => (value === null ? null : Buffer.from(value).toString());

function open(options: Partial<LogOptions> = {}): Promise<Log> {
  return openLog({
    directory: '/data',
    storage: new FaultyStorage(),
    clock: new ManualClock(1000),
    random: seededRandom(1),
    ...options,
  });
}

test('a record comes back as it was sent, with its offset', async () => {
  const log = await open();
  await log.createTopic('t');
  const headers = [
    { key: 'größe', value: new Uint8Array([1, 2]) },
    { key: '', value: null },
  ];
  const record = { key: new Uint8Array([7]), value: new Uint8Array(), headers };
  const metadata = await log.producer().send({ topic: 't', ...record, timestamp: 77 });
  assert.deepEqual(metadata, { topic: 't', partition: 0, offset: 0, timestamp: 77 });
  await log.producer().send({ topic: 't', value: null });
  assert.deepEqual(log.read('t', 0, 0), {
    records: [
      { offset: 0, timestamp: 77, ...record },
      { offset: 1, timestamp: 1000, key: null, value: null, headers: [] },
    ],
    nextOffset: 2,
  });
  assert.deepEqual(log.read('t', 0, 2), { records: [], nextOffset: 2 });
});

test('the caller may reuse its bytes as soon as send returned', async () => {
  const log = await open();
  await log.createTopic('t');
  const value = bytes('sent');
  const sending = log.producer().send({ topic: 't', value });
  value.fill(0);
  await sending;
  assert.equal(text(log.read('t', 0, 0).records[0]!.value), 'sent');
});

test('keys go where Kafka’s clients put them, and null keys fill one partition per batch, each in its turn', async () => {
  const log = await open();
  await log.createTopic('t', { partitions: 3 });
  const producer = log.producer();
  for (const key of ['foobar', '21', 'abc', 'z']) {
    const { partition } = await producer.send({ topic: 't', key: bytes(key), value: null });
    assert.equal(partition, partitionForKey(bytes(key), 3));
  }
  const partitions: number[] = [];
  for (let batch = 0; batch < 4; batch++) {
    const sent = await Promise.all([1, 2, 3].map(() => producer.send({ topic: 't', value: null })));
    assert.equal(new Set(sent.map(({ partition }) => partition)).size, 1, 'one batch stays together');
    partitions.push(sent[0]!.partition);
  }
  assert.deepEqual(new Set(partitions.slice(0, 3)), new Set([0, 1, 2]));
  assert.equal(partitions[3], partitions[0]);
});

test('a turn’s records make one batch, a full batch goes at once, and one larger than the batch goes alone', async () => {
  const storage = new FaultyStorage();
  const log = await open({ storage });
  await log.createTopic('t');
  const producer = log.producer({ batchSize: 300 });
  await Promise.all(
    ['a', 'b', 'x'.repeat(1000), 'c'].map((value) => producer.send({ topic: 't', value: bytes(value) })),
  );
  const file = storage.bytesOf('/data/t-0/00000000000000000000.log');
  const counts: number[] = [];
  for (let at = 0; at < file.length; at += 12 + file.readInt32BE(at + 8)) counts.push(file.readInt32BE(at + 57));
  assert.deepEqual(counts, [2, 1, 1]);
});

test('linger holds a batch until its time or until it is full', async () => {
  const clock = new ManualClock();
  const log = await open({ clock });
  await log.createTopic('t');
  const producer = log.producer({ lingerMs: 5, batchSize: 1000 });
  const first = producer.send({ topic: 't', value: null });
  clock.advance(4);
  await log.createTopic('while it lingers'.replaceAll(' ', '-'));
  assert.equal(log.offsets('t', 0).latest, 0);
  const second = producer.send({ topic: 't', value: null });
  clock.advance(1);
  assert.deepEqual(
    (await Promise.all([first, second])).map(({ offset }) => offset),
    [0, 1],
  );
  const full = [1, 2, 3].map(() => producer.send({ topic: 't', value: bytes('x'.repeat(600)) }));
  assert.equal((await full[1]!).offset, 3, 'no time has passed');
  await producer.flush();
  assert.equal((await full[2]!).offset, 4);
});

test('acks=1 resolves before the record is durable and readable, acks=all after', async () => {
  const log = await open();
  await log.createTopic('t');
  let readable = 0;
  log.onAppend('t', 0, () => readable++);
  const early = log.producer({ acks: 1 }).send({ topic: 't', value: null });
  const late = log.producer().send({ topic: 't', value: null });
  await early;
  assert.equal(readable, 0);
  assert.deepEqual(log.read('t', 0, 0).records, []);
  await late;
  assert.equal(readable, 1, 'one sync for both');
  assert.equal(log.read('t', 0, 0).records.length, 2);
});

test('many senders share a sync', async () => {
  const storage = new FaultyStorage();
  const log = await open({ storage });
  await log.createTopic('t');
  let syncs = 0;
  storage.failSync = () => {
    syncs++;
    return false;
  };
  const producers = Array.from({ length: 20 }, () => log.producer());
  await Promise.all(producers.map((producer) => producer.send({ topic: 't', value: null })));
  assert.equal(syncs, 1);
});

test('without fsync a record is acknowledged and readable without any sync', async () => {
  const storage = new FaultyStorage();
  const log = await open({ storage, fsync: false });
  await log.createTopic('t');
  storage.failSync = () => assert.fail('a sync');
  await log.producer().send({ topic: 't', value: bytes('a') });
  assert.equal(log.read('t', 0, 0).records.length, 1);
  storage.failSync = () => false;
  const again = await open({ storage: storage.afterKill() });
  assert.equal(again.read('t', 0, 0).records.length, 1);
});

test('ready waits while too much is on its way, and flush until nothing is', async () => {
  const log = await open();
  await log.createTopic('t');
  const producer = log.producer({ maxInFlightBytes: 1000, batchSize: 500 });
  await producer.ready();
  let acked = 0;
  for (let n = 0; n < 4; n++) void producer.send({ topic: 't', value: bytes('x'.repeat(600)) }).then(() => acked++);
  await producer.ready();
  assert.ok(acked >= 3, `${acked} of 4 are acknowledged`);
  const last = producer.send({ topic: 't', value: null });
  await producer.flush();
  assert.equal((await last).offset, 4);
});

test('reading starts anywhere, inside a batch too, and a small limit still gives a whole batch', async () => {
  const log = await open();
  await log.createTopic('t', { config: { 'segment.bytes': 20_000 } });
  const producer = log.producer({ batchSize: 1000 });
  for (let n = 0; n < 500; n++) void producer.send({ topic: 't', value: bytes(`${n}`.padEnd(n % 300, '.')) });
  await producer.flush();
  assert.ok(log.describeTopic('t').partitions[0]!.bytes > 60_000, 'several segments');
  for (let offset = 0; offset < 500; offset++) {
    for (const limit of [1, 5000]) {
      const { records, nextOffset } = log.read('t', 0, offset, limit);
      assert.equal(records[0]!.offset, offset);
      assert.equal(Number.parseInt(text(records[0]!.value)!, 10), offset);
      assert.equal(records.at(-1)!.offset, nextOffset - 1);
    }
  }
  let read = 0;
  for (let offset = 0; offset < 500; ) {
    const { records, nextOffset } = log.read('t', 0, offset, 3000);
    for (const record of records) assert.equal(record.offset, read++);
    offset = nextOffset;
  }
  assert.equal(read, 500);
});

test('an offset that is not there is out of range', async () => {
  const log = await open();
  await log.createTopic('t');
  await log.producer().send({ topic: 't', value: null });
  for (const offset of [-1, 2, 0.5, Number.NaN]) {
    assert.throws(() => log.read('t', 0, offset), { code: 'OFFSET_OUT_OF_RANGE', message: /not in \[0, 1\]/ });
  }
});

test('a time finds the first record at or after it, over segments and unordered timestamps', async () => {
  const storage = new FaultyStorage();
  let log = await open({ storage });
  await log.createTopic('t', { config: { 'segment.bytes': 20_000, 'retention.ms': -1 } });
  const producer = log.producer({ batchSize: 600 });
  const random = seededRandom(5);
  const times = Array.from({ length: 400 }, (_, n) => 1000 + n * 10 + Math.floor(random() * 200));
  for (const timestamp of times) void producer.send({ topic: 't', timestamp, value: Buffer.alloc(200) });
  await producer.flush();
  const check = () => {
    for (let time = 900; time < 5300; time += 37) {
      const expected = times.findIndex((timestamp) => timestamp >= time);
      assert.equal(log.offsetForTime('t', 0, time), expected < 0 ? 400 : expected, `time ${time}`);
    }
  };
  check();
  await log.close();
  log = await open({ storage });
  check();
  log = await open({ storage: storage.afterKill() });
  check();
});

test('listeners hear of new records until they leave, and one that throws harms nobody else', async () => {
  const clock = new ManualClock();
  const log = await open({ clock });
  await log.createTopic('t');
  const heard: string[] = [];
  const leave = log.onAppend('t', 0, () => heard.push('first'));
  const leaveThrowing = log.onAppend('t', 0, () => {
    throw new Error('a listener failed');
  });
  log.onAppend('t', 0, () => heard.push('second'));
  await log.producer().send({ topic: 't', value: null });
  assert.throws(() => clock.advance(0), /a listener failed/, 'in nobody’s call');
  leave();
  leaveThrowing();
  await log.producer().send({ topic: 't', value: null });
  assert.deepEqual(heard, ['first', 'second', 'second']);
});

test('what cannot be sent is refused with what arrived', async () => {
  const log = await open();
  await log.createTopic('t', { config: { 'max.message.bytes': 500 } });
  const producer = log.producer();
  const send = (record: object) => producer.send({ topic: 't', value: null, ...record });
  await assert.rejects(send({ topic: 'none' }), {
    code: 'UNKNOWN_TOPIC_OR_PARTITION',
    message: /'none' does not exist; there are t/,
  });
  await assert.rejects(send({ partition: 3 }), {
    code: 'UNKNOWN_TOPIC_OR_PARTITION',
    message: /no partition 3; it has 0 to 0/,
  });
  await assert.rejects(send({ value: Buffer.alloc(500) }), {
    code: 'MESSAGE_TOO_LARGE',
    message: /max.message.bytes, 500/,
  });
  await assert.rejects(send({ value: 'text' }), {
    code: 'INVALID_RECORD',
    message: /value is string; it must be bytes/,
  });
  await assert.rejects(send({ timestamp: -5 }), { code: 'INVALID_RECORD', message: /timestamp is -5/ });
  assert.throws(() => log.producer({ lingerMs: Number.NaN }), { code: 'INVALID_CONFIG' });
  await producer.close();
  await assert.rejects(send({}), { code: 'LOG_CLOSED' });
  assert.equal(log.offsets('t', 0).latest, 0);
});

test('a closed log sent what its producers held, and refuses everything afterwards', async () => {
  const storage = new FaultyStorage();
  const log = await open({ storage });
  await log.createTopic('t');
  const lingering = log.producer({ lingerMs: 1000 }).send({ topic: 't', value: null });
  await Promise.all([log.close(), log.close()]);
  assert.equal((await lingering).offset, 0);
  assert.throws(() => log.read('t', 0, 0), { code: 'LOG_CLOSED' });
  await assert.rejects(log.createTopic('u'), { code: 'LOG_CLOSED' });
  assert.equal((await open({ storage })).offsets('t', 0).latest, 1);
});

test('one log owns a directory at a time', async () => {
  const storage = new FaultyStorage();
  const log = await open({ storage });
  await assert.rejects(open({ storage }), { code: 'DATA_DIRECTORY_LOCKED' });
  await log.close();
  await (await open({ storage })).close();
});
