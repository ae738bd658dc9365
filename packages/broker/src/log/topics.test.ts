import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Log, LogOptions } from './api.ts';
import { FaultyStorage, seededRandom } from './faulty-storage.ts';
import { openDirectoryLog, openLog } from './log.ts';
import { ManualClock } from './manual-clock.ts';
import { defaultConfig } from './topic-config.ts';

function open(options: Partial<LogOptions> = {}): Promise<Log> {
  return openLog({
    directory: '/data',
    storage: new FaultyStorage(),
    clock: new ManualClock(),
    random: seededRandom(1),
    ...options,
  });
}

test('topics are created, listed, described, altered and deleted, and all of it is there after a reopening', async () => {
  const storage = new FaultyStorage();
  let log = await open({ storage });
  const made = await log.createTopic('b.topic', { partitions: 2, config: { 'retention.ms': 1000 } });
  await log.createTopic('a_topic');
  await log.createTopic('gone', { partitions: 3 });
  await log.deleteTopic('gone');
  const altered = await log.alterTopic('b.topic', { 'retention.bytes': 5 });
  assert.match(made.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.deepEqual(altered.config, { ...defaultConfig, 'retention.ms': 1000, 'retention.bytes': 5 });
  assert.deepEqual(
    altered.partitions,
    [0, 1].map((partition) => ({ partition, earliest: 0, latest: 0, bytes: 0 })),
  );
  await log.close();
  log = await open({ storage });
  assert.deepEqual(log.topics(), ['a_topic', 'b.topic']);
  assert.deepEqual(log.describeTopic('b.topic'), altered);
  assert.ok(!storage.list('/data').some((name) => name.startsWith('gone')));
});

test('a deleted topic is gone with its records, its commits and its readers, and its name is free', async () => {
  const log = await open();
  const { id } = await log.createTopic('t', { partitions: 2 });
  const producer = log.producer();
  await producer.send({ topic: 't', partition: 1, value: null });
  await log.commitOffsets('g', 't', new Map([[1, 1]]));
  const racing = log.commitOffsets('late', 't', new Map([[0, 0]]));
  await Promise.all([log.deleteTopic('t'), racing]);
  await assert.rejects(producer.send({ topic: 't', value: null }), { code: 'UNKNOWN_TOPIC_OR_PARTITION' });
  assert.deepEqual(log.topics(), []);
  assert.deepEqual(log.groups(), []);
  assert.throws(() => log.offsets('t', 0), { code: 'UNKNOWN_TOPIC_OR_PARTITION' });
  await assert.rejects(log.deleteTopic('t'), { code: 'UNKNOWN_TOPIC_OR_PARTITION' });
  const again = await log.createTopic('t');
  assert.notEqual(again.id, id);
  assert.equal((await producer.send({ topic: 't', value: null })).offset, 0, 'the old producer finds the new topic');
});

test('what cannot be created says why', async () => {
  const log = await open();
  await log.createTopic('t');
  await assert.rejects(log.createTopic('t'), { code: 'TOPIC_ALREADY_EXISTS' });
  for (const name of ['', '.', '..', 'a/b', 'a b', 'ü', 'x'.repeat(250), '__consumer_offsets', '__cluster_metadata']) {
    await assert.rejects(log.createTopic(name), { code: 'INVALID_TOPIC_EXCEPTION' }, name);
  }
  for (const partitions of [0, -1, 1.5, Number.NaN, 1e9]) {
    await assert.rejects(log.createTopic('u', { partitions }), { code: 'INVALID_PARTITIONS' });
  }
  const config = (settings: object) => log.createTopic('u', { config: settings });
  await assert.rejects(config({ 'cleanup.policy': 'x' }), { code: 'INVALID_CONFIG' });
  await assert.rejects(config({ 'retention.ms': '5' }), {
    code: 'INVALID_CONFIG',
    message: /retention.ms is "5"; it must be an integer from -1/,
  });
  await assert.rejects(config({ 'segment.bytes': 2 ** 31 }), { code: 'INVALID_CONFIG' });
  await assert.rejects(config({ retention: 5 }), {
    code: 'INVALID_CONFIG',
    message: /'retention' is not a topic setting; there are cleanup.policy/,
  });
  await assert.rejects(log.alterTopic('t', { 'min.insync.replicas': 2 }), { code: 'INVALID_CONFIG' });
  assert.deepEqual(log.topics(), ['t']);
});

test('topics that are made at the same time do not share marks', async () => {
  const storage = new FaultyStorage();
  const log = await open({ storage });
  await Promise.all(['a', 'b', 'c'].map((name) => log.createTopic(name, { partitions: 2 })));
  await assert.rejects(Promise.all([log.createTopic('d'), log.createTopic('d')]), { code: 'TOPIC_ALREADY_EXISTS' });
  for (const topic of ['a', 'b', 'c']) {
    for (let n = 0; n < topic.charCodeAt(0); n++) void log.producer().send({ topic, partition: 1, value: null });
  }
  await log.close();
  const again = await open({ storage });
  for (const topic of ['a', 'b', 'c']) assert.equal(again.offsets(topic, 1).latest, topic.charCodeAt(0));
  assert.equal(again.describeTopic('a').partitions[1]!.error, undefined);
});

async function filledWith(log: Log, count: number, timestamp?: number): Promise<void> {
  const producer = log.producer({ batchSize: 100 });
  for (let n = 0; n < count; n++) {
    void producer.send({ topic: 't', value: Buffer.alloc(100), ...(timestamp === undefined ? {} : { timestamp }) });
  }
  await producer.flush();
}

test('retention by size lets the oldest segments go, files included, and keeps what fits', async () => {
  const storage = new FaultyStorage();
  const clock = new ManualClock();
  let log = await open({ storage, clock, retentionCheckInterval: 1000 });
  await log.createTopic('t', { config: { 'segment.bytes': 1000, 'retention.bytes': 3000 } });
  await filledWith(log, 100);
  const files = storage.list('/data/t-0').length;
  clock.advance(999);
  await log.createTopic('stands-behind-it-in-the-line');
  assert.equal(log.offsets('t', 0).earliest, 0);
  clock.advance(1);
  await log.createTopic('stands-behind-it-too');
  const { earliest, latest } = log.offsets('t', 0);
  assert.ok(earliest > 70 && latest === 100, `${earliest}`);
  const { bytes } = log.describeTopic('t').partitions[0]!;
  assert.ok(bytes >= 3000 && bytes < 4100, `${bytes}`);
  assert.ok(storage.list('/data/t-0').length < files / 2);
  assert.throws(() => log.read('t', 0, earliest - 1), { code: 'OFFSET_OUT_OF_RANGE' });
  assert.equal(log.read('t', 0, earliest).records[0]!.offset, earliest);
  log = await open({ storage: storage.afterPowerCut(() => 0.9) });
  assert.deepEqual(log.offsets('t', 0), { earliest, latest });
  assert.equal(log.describeTopic('t').partitions[0]!.error, undefined);
});

test('retention by time lets old segments go, the last one too, and offsets go on', async () => {
  const clock = new ManualClock();
  const storage = new FaultyStorage();
  const log = await open({ storage, clock, retentionCheckInterval: 1000 });
  await log.createTopic('t', { config: { 'segment.bytes': 1000, 'retention.ms': 5000 } });
  await filledWith(log, 20);
  clock.advance(4000);
  await filledWith(log, 20);
  clock.advance(1000);
  await log.createTopic('stands-behind-it-in-the-line');
  assert.equal(log.offsets('t', 0).earliest, 0, 'exactly as old as allowed');
  clock.advance(1000);
  await log.createTopic('second');
  const { earliest } = log.offsets('t', 0);
  assert.ok(earliest > 0 && earliest <= 20, `${earliest}`);
  clock.advance(10_000);
  await log.createTopic('third');
  clock.advance(1000);
  await log.createTopic('fourth');
  assert.deepEqual(log.offsets('t', 0), { earliest: 40, latest: 40 });
  await filledWith(log, 1);
  assert.equal(log.read('t', 0, 40).records.length, 1);
  await log.close();
  const again = await open({ storage });
  assert.deepEqual(again.offsets('t', 0), { earliest: 40, latest: 41 });
});

test('groups commit per topic and partition, and lag counts from there', async () => {
  const storage = new FaultyStorage();
  let log = await open({ storage });
  await log.createTopic('t', { partitions: 2 });
  await filledWith(log, 10);
  await log.commitOffsets(
    'b',
    't',
    new Map([
      [0, 1],
      [1, 2],
    ]),
  );
  await log.commitOffsets('b', 't', new Map([[0, 3]]));
  await log.commitOffsets('a', 't', new Map([[1, 0]]));
  await log.commitOffsets('a', 't', new Map());
  const check = () => {
    assert.deepEqual(log.groups(), ['a', 'b']);
    assert.deepEqual(
      log.committedOffsets('b', 't'),
      new Map([
        [0, 3],
        [1, 2],
      ]),
    );
    assert.deepEqual(log.committedOffsets('a', 'none'), new Map());
    const [first, second] = [log.offsets('t', 0).latest, log.offsets('t', 1).latest];
    assert.equal(first + second, 10);
    assert.deepEqual(log.lag('a'), [
      { topic: 't', partition: 0, committed: undefined, latest: first, lag: first },
      { topic: 't', partition: 1, committed: 0, latest: second, lag: second },
    ]);
    assert.equal(log.lag('b')[0]!.lag, first - 3);
    assert.deepEqual(log.lag('none'), []);
  };
  check();
  log = await open({ storage: storage.afterPowerCut(() => 0) });
  check();
});

test('a commit for what does not exist is refused whole', async () => {
  const log = await open();
  await log.createTopic('t');
  await assert.rejects(
    log.commitOffsets(
      'g',
      't',
      new Map([
        [0, 1],
        [1, 1],
      ]),
    ),
    { code: 'UNKNOWN_TOPIC_OR_PARTITION' },
  );
  await assert.rejects(log.commitOffsets('g', 't', new Map([[0, -1]])), { code: 'INVALID_REQUEST' });
  await assert.rejects(log.commitOffsets('', 't', new Map([[0, 1]])), { code: 'INVALID_GROUP_ID' });
  assert.deepEqual(log.groups(), []);
});

test('the log of committed offsets is rewritten when most of it is outdated', async () => {
  const storage = new FaultyStorage();
  const log = await open({ storage });
  await log.createTopic('t');
  const directory = '/data/__consumer_offsets-0';
  const size = () => {
    let sum = 0;
    for (const name of storage.list(directory))
      if (name.endsWith('.log')) sum += storage.bytesOf(`${directory}/${name}`).length;
    return sum;
  };
  const group = 'g'.repeat(10_000);
  let largest = 0;
  for (let n = 0; n < 300; n++) {
    await log.commitOffsets(group, 't', new Map([[0, n]]));
    largest = Math.max(largest, size());
  }
  await log.commitOffsets('other', 't', new Map([[0, 5]]));
  assert.ok(largest > 1_000_000 && size() < 1_100_000, `${size()} of ${largest}`);
  const again = await open({ storage: storage.afterPowerCut(() => 0) });
  assert.deepEqual(again.committedOffsets(group, 't'), new Map([[0, 299]]));
  assert.deepEqual(again.committedOffsets('other', 't'), new Map([[0, 5]]));
});

test('a power cut while a topic grows leaves it as large as it was, or as it was to be', async () => {
  const calm = new FaultyStorage();
  const grown = async (storage: FaultyStorage) => {
    const log = await openDirectoryLog({
      directory: '/data',
      storage,
      clock: new ManualClock(),
      random: seededRandom(1),
    });
    await log.createTopic('t');
    await log.producer().send({ topic: 't', value: Buffer.from('x') });
    await log.catalog.grow('t', 3);
    await log.producer().send({ topic: 't', partition: 2, value: Buffer.from('y') });
    return log;
  };
  await (await grown(calm)).close();
  const sizes = new Set<number>();
  for (let cutAt = 1; cutAt <= calm.operations; cutAt++) {
    const storage = new FaultyStorage();
    storage.cutAt = cutAt;
    let acknowledged = false;
    await grown(storage).then(
      () => {
        acknowledged = true;
      },
      () => undefined,
    );
    const log = await open({ storage: storage.afterPowerCut(seededRandom(cutAt)) });
    if (!log.topics().includes('t')) continue;
    const { partitions } = log.describeTopic('t');
    sizes.add(partitions.length);
    for (const { error } of partitions) assert.equal(error, undefined);
    if (acknowledged)
      assert.deepEqual(
        partitions.map(({ latest }) => latest),
        [1, 0, 1],
      );
    await log.close();
  }
  assert.deepEqual([...sizes].sort(), [1, 3]);
});
