import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Codec } from '../codec/codec.ts';
import { type DriveOptions, driveLog } from '../connectors/drive.ts';
import { type MemoryTopicLog, memoryTopicLog } from './memory-topic-log.ts';
import { topic } from './topic.ts';
import { type TopicSpoutOptions, topicSpout } from './topic-spout.ts';

const utf8 = new TextEncoder();
const text: Codec<string> = {
  encode: (value) => utf8.encode(value),
  decode(bytes) {
    const value = new TextDecoder().decode(bytes);
    if (value.startsWith('!')) throw new Error(`'${value}' does not look like text`);
    return value;
  },
};
const readings = topic('readings', { value: text, partitions: 3 });

/** A record whose key, one byte, is its partition. */
async function produce(log: MemoryTopicLog, partition: number, values: readonly (string | null)[], timestamp = 0) {
  await log.ensureTopic(readings);
  const key = Uint8Array.of(partition);
  await log.produce(
    'readings',
    values.map((value) => ({ key, value: value === null ? null : utf8.encode(value), timestamp })),
  );
}

const numbered = (partition: number, count: number) => Array.from({ length: count }, (_, i) => `${partition}.${i}`);

function open(
  log: MemoryTopicLog,
  options: Partial<TopicSpoutOptions> = {},
  more: Parameters<typeof driveLog>[1] = {},
) {
  const resources: DriveOptions['resources'] = { log };
  return driveLog(topicSpout(readings, { group: 'g', ...options }), { resources, ...more });
}

for (const asynchronous of [false, true]) {
  const where = asynchronous ? 'a log that answers later' : 'a log at hand';

  test(`${where}: the partitions are the splits, the offsets the positions, the timestamps the times`, async () => {
    const log = memoryTopicLog({ asynchronous });
    await produce(log, 1, ['a', 'b'], 1_000);
    await produce(log, 2, ['c'], 2_000);
    const driven = await open(log);
    assert.deepEqual(driven.splits, ['readings-0', 'readings-1', 'readings-2']);
    await driven.until(() => driven.emitted.length === 3);
    assert.deepEqual(
      driven.emitted.toSorted((a, b) => a.time - b.time || a.position - b.position),
      [
        { split: 'readings-1', position: 0, next: 1, value: 'a', time: 1_000 },
        { split: 'readings-1', position: 1, next: 2, value: 'b', time: 1_000 },
        { split: 'readings-2', position: 0, next: 1, value: 'c', time: 2_000 },
      ],
    );
  });

  test(`${where}: gives every record of every partition once, in order, also those that come later`, async () => {
    const log = memoryTopicLog({ asynchronous });
    for (const partition of [0, 1, 2]) await produce(log, partition, numbered(partition, 150));
    const driven = await open(log, {}, { max: 64 });
    await driven.until(() => driven.emitted.length === 450);
    await produce(log, 1, ['late']);
    await driven.until(() => driven.emitted.length === 451);
    for (const partition of [0, 1, 2]) {
      const of = driven.emitted.filter(({ split }) => split === `readings-${partition}`).map(({ value }) => value);
      assert.deepEqual(of, [...numbered(partition, 150), ...(partition === 1 ? ['late'] : [])]);
    }
  });

  test(`${where}: a paused partition gives nothing, the others go on`, async () => {
    const log = memoryTopicLog({ asynchronous });
    for (const partition of [0, 1, 2]) await produce(log, partition, numbered(partition, 100));
    const driven = await open(log, {}, { max: 30 });
    driven.reader.pause('readings-1');
    await driven.until(() => driven.emitted.length === 200);
    assert.equal(
      driven.emitted.some(({ split }) => split === 'readings-1'),
      false,
    );
    driven.reader.resume('readings-1');
    await driven.until(() => driven.emitted.length === 300);
  });

  test(`${where}: where retention has passed the committed offset, it says how many records are lost, and goes on`, async () => {
    const log = memoryTopicLog({ asynchronous });
    await produce(log, 0, numbered(0, 30));
    await log.commit('g', 'readings', new Map([[0, 5]]));
    log.trim('readings', 0, 12);
    const driven = await open(log);
    await driven.until(() => driven.emitted.length === 18);
    assert.equal(driven.emitted[0]?.position, 12);
    assert.equal(driven.lines.length, 1);
    assert.match(driven.lines[0]!, /partition 0: offset 5 is gone.* 7 records are skipped.*going on at 12/);
  });

  test(`${where}: where the log is shorter than the committed offset, it says so and goes on at the end`, async () => {
    const log = memoryTopicLog({ asynchronous });
    await produce(log, 0, numbered(0, 30));
    await log.commit('g', 'readings', new Map([[0, 30]]));
    log.cut('readings', 0, 20);
    const driven = await open(log);
    await driven.until(() => driven.lines.length === 1);
    assert.match(driven.lines[0]!, /offset 30 is beyond the end 20/);
    await produce(log, 0, ['new']);
    await driven.until(() => driven.emitted.length === 1);
    assert.deepEqual(
      driven.emitted.map(({ position, value }) => [position, value]),
      [[20, 'new']],
    );
  });
}

test('retention that overtakes a running reader is counted on', async () => {
  const log = memoryTopicLog();
  await produce(log, 0, numbered(0, 400));
  const driven = await open(log, {}, { max: 100 });
  driven.once();
  log.trim('readings', 0, 115);
  driven.once();
  log.trim('readings', 0, 228);
  await driven.until(() => driven.emitted.at(-1)?.position === 399);
  assert.deepEqual(
    driven.lines.map((line) => / (\d+ records are skipped \(\d+ in all)/.exec(line)?.[1]),
    ['15 records are skipped (15 in all', '13 records are skipped (28 in all'],
  );
});

test('a record without a value and one that the codec refuses go to the ledger, and the flow goes on', async () => {
  const log = memoryTopicLog();
  await produce(log, 0, ['a', null, '!broken', 'b']);
  const driven = await open(log);
  driven.once();
  assert.deepEqual(driven.values(), ['a', 'b']);
  const [none, malformed] = driven.rejected;
  assert.deepEqual([none?.cause, none?.position, none?.next, none?.payload], ['null', 1, 2, null]);
  assert.deepEqual([malformed?.cause, malformed?.position, malformed?.next], ['malformed', 2, 3]);
  assert.equal(malformed?.detail, "'!broken' does not look like text");
  assert.deepEqual(malformed?.payload, utf8.encode('!broken'));
  assert.equal(malformed?.payload?.buffer.byteLength, 7, 'a copy, not a view that keeps a larger chunk alive');
});

test('no partition runs far ahead of the others', async () => {
  const log = memoryTopicLog();
  for (const partition of [0, 1, 2]) await produce(log, partition, numbered(partition, 1000));
  const driven = await open(log, {}, { max: 192 });
  driven.once();
  const counts = [0, 1, 2].map((p) => driven.emitted.filter(({ split }) => split === `readings-${p}`).length);
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 64, `${counts}`);
});

test('what is committed is where the group goes on', async () => {
  const log = memoryTopicLog();
  for (const partition of [0, 1]) await produce(log, partition, numbered(partition, 10));
  const first = await open(log);
  first.once();
  await first.reader.commit(
    new Map([
      ['readings-0', 4],
      ['readings-1', 9],
    ]),
  );
  const second = await open(log);
  second.once();
  assert.deepEqual(second.values().toSorted(), ['0.4', '0.5', '0.6', '0.7', '0.8', '0.9', '1.9']);
  const other = await open(log, { group: 'other' });
  other.once();
  assert.equal(other.values().length, 20);
});

test('a position that the engine gives wins over the committed one', async () => {
  const log = memoryTopicLog();
  await produce(log, 0, numbered(0, 10));
  await log.commit('g', 'readings', new Map([[0, 9]]));
  const driven = await open(log, {}, { from: { 'readings-0': 7 } });
  driven.once();
  assert.deepEqual(driven.values(), ['0.7', '0.8', '0.9']);
});

test('positions of a checkpoint that the log does not have any more are told, and it goes on at the nearest', async () => {
  const log = memoryTopicLog();
  for (const partition of [0, 1]) await produce(log, partition, numbered(partition, 30));
  log.trim('readings', 0, 12);
  log.cut('readings', 1, 20);
  const driven = await open(log, {}, { from: { 'readings-0': 5, 'readings-1': 30 } });
  await driven.until(() => driven.emitted.length === 18);
  await produce(log, 1, ['new']);
  await driven.until(() => driven.emitted.length === 19);
  assert.deepEqual([driven.emitted[0]!.position, driven.emitted.at(-1)!.position], [12, 20]);
  const said = driven.lines.join('\n');
  assert.match(said, /partition 0: offset 5 is gone.* 7 records are skipped/);
  assert.match(said, /partition 1: offset 30 is beyond the end 20/);
});

test("'latest' starts behind what is there, a time at the first record not older", async () => {
  const log = memoryTopicLog();
  await produce(log, 0, ['old'], 1_000);
  await produce(log, 0, ['newer'], 2_000);
  const latest = await open(log, { group: 'l', from: 'latest' });
  const timed = await open(log, { group: 't', from: { time: 1_500 } });
  await produce(log, 0, ['newest'], 3_000);
  latest.once();
  timed.once();
  assert.deepEqual([latest.values(), timed.values()], [['newest'], ['newer', 'newest']]);
});

test("what comes between a first start at 'latest' and its first commit is not skipped by the next start", async () => {
  const log = memoryTopicLog();
  await produce(log, 0, ['before']);
  await open(log, { from: 'latest' });
  await produce(log, 0, ['between']);
  const restarted = await open(log, { from: 'latest' });
  restarted.once();
  assert.deepEqual(restarted.values(), ['between']);
});

test('a task reads its own splits only', async () => {
  const log = memoryTopicLog();
  for (const partition of [0, 1, 2]) await produce(log, partition, numbered(partition, 3));
  const driven = await open(log, {}, { mine: ['readings-2'], index: 1, parallelism: 2 });
  driven.once();
  assert.deepEqual(driven.values(), ['2.0', '2.1', '2.2']);
  const none = await open(log, {}, { mine: [], index: 2, parallelism: 3 });
  assert.equal(none.once(), false);
});

test('an existing topic keeps its partitions and settings, and the log says so', async () => {
  const log = memoryTopicLog();
  await log.ensureTopic({ name: 'readings', partitions: 2, config: { 'retention.ms': 1_000 } });
  const wider = topic('readings', { value: text, partitions: 8, config: { 'retention.ms': 2_000 } });
  const driven = await driveLog(topicSpout(wider, { group: 'g' }), { resources: { log } });
  assert.deepEqual(driven.splits, ['readings-0', 'readings-1']);
  assert.match(driven.lines[0]!, /has 2 partitions, not the 8 declared/);
  assert.match(driven.lines[1]!, /has retention.ms=1000, not the 2000 declared/);
});

test('a closed reader no longer wakes its task', async () => {
  const log = memoryTopicLog();
  const driven = await open(log);
  while (driven.once());
  await driven.reader.close?.();
  const waiting = driven.until(() => driven.emitted.length > 0).then(() => 'woken');
  await produce(log, 0, ['a']);
  assert.equal(await Promise.race([waiting, new Promise((resolve) => setImmediate(resolve, 'asleep'))]), 'asleep');
});

test('refuses a group or a start that is none', () => {
  assert.throws(() => topicSpout(readings, { group: '' }), { code: 'MR_OPTION' });
  assert.throws(
    () => topicSpout(readings, { group: 'g', from: 'begin' as never }),
    /'earliest', 'latest' or \{ time \}/,
  );
  assert.throws(() => topicSpout(readings, { group: 'g', from: { time: Number.NaN } }), { code: 'MR_OPTION' });
});
