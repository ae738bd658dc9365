/**
 * Test support: what every `TopicLog` must do, whatever is behind it. A back end says how to open a fresh log, and how
 * to make its retention remove records; what it cannot do it skips, with the reason.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TopicConfig } from '@millrace/broker';
import type { NewRecord, PartitionReader, TopicLog, TopicRecord } from './topic-log.ts';

export interface Backend {
  /** The seam over a log with no topics, or one whose topics have other names than the suite's. */
  readonly log: TopicLog;
  /** Another view of the same log, as after a restart of what stands on it. */
  reopen(): Promise<TopicLog>;
  close(): Promise<void>;
  readonly expire: {
    /** What a topic is made with whose records are to go. */
    readonly config?: Partial<TopicConfig>;
    /** Makes the records below some offset of partition 0 go, as retention does. */
    readonly records: (topic: string) => Promise<void>;
  };
  /** Has compaction look at the closed segments of a topic now. */
  readonly compact: ((topic: string) => Promise<void>) | { readonly skip: string };
}

export const bytes = (text: string) => new TextEncoder().encode(text);
export const text = (value: Uint8Array | null) => (value === null ? null : new TextDecoder().decode(value));
export const record = (value: string, more: Partial<NewRecord> = {}): NewRecord => ({
  key: null,
  value: bytes(value),
  timestamp: 1_000,
  ...more,
});

/** Takes from a reader until the condition holds, waiting to be told that there is more. */
async function takeUntil(
  open: (arrived: () => void) => PartitionReader,
  enough: (records: readonly TopicRecord[]) => boolean,
): Promise<{ records: TopicRecord[]; next: number; reader: PartitionReader }> {
  let tell = () => {};
  let told = true;
  const reader = open(() => {
    told = true;
    tell();
  });
  const records: TopicRecord[] = [];
  let next = -1;
  while (!enough(records)) {
    if (!told) await new Promise<void>((resolve) => (tell = resolve));
    told = false;
    for (;;) {
      const taken = reader.take();
      assert.equal(taken.outOfRange, undefined);
      if (taken.outOfRange || taken.records.length === 0) break;
      records.push(...taken.records);
      next = taken.next;
    }
  }
  return { records, next, reader };
}

export async function readAll(log: TopicLog, topic: string, partition: number, from: number, count: number) {
  const { records, next, reader } = await takeUntil(
    (arrived) => log.read(topic, partition, from, arrived),
    (so) => so.length >= count,
  );
  reader.close();
  return { records, next, values: records.map(({ value }) => text(value)) };
}

export function topicLogSuite(name: string, open: () => Promise<Backend>): void {
  const withLog = (title: string, run: (log: TopicLog, backend: Backend) => Promise<void>) =>
    test(title, async () => {
      const backend = await open();
      try {
        await run(backend.log, backend);
      } finally {
        await backend.log.close();
        await backend.close();
      }
    });

  describe(`${name}: topics`, () => {
    withLog('makes a topic as declared on first use, with one partition by default', async (log) => {
      assert.equal((await log.ensureTopic({ name: 'suite.wide', partitions: 4 })).partitions, 4);
      assert.equal((await log.ensureTopic({ name: 'suite.narrow' })).partitions, 1);
    });
    withLog('leaves an existing topic as it is', async (log) => {
      const config = { 'retention.ms': 1_234_567 };
      await log.ensureTopic({ name: 'suite.kept', partitions: 2, config });
      const found = await log.ensureTopic({ name: 'suite.kept', partitions: 3, config: { 'retention.ms': 5 } });
      assert.equal(found.partitions, 2);
      assert.equal(found.config['retention.ms'], 1_234_567);
    });
    withLog('may be asked for the same topic by several at once', async (log) => {
      const declared = { name: 'suite.rush', partitions: 3 };
      const found = await Promise.all([1, 2, 3].map(() => log.ensureTopic(declared)));
      assert.deepEqual(
        found.map(({ partitions }) => partitions),
        [3, 3, 3],
      );
    });
  });

  describe(`${name}: records`, () => {
    withLog('gives back what was produced, in order, from any offset', async (log) => {
      await log.ensureTopic({ name: 'suite.order' });
      const values = Array.from({ length: 500 }, (_, i) => `value ${i}`);
      await log.produce(
        'suite.order',
        values.map((value) => record(value)),
      );
      const all = await readAll(log, 'suite.order', 0, 0, 500);
      assert.deepEqual(all.values, values);
      assert.deepEqual(
        all.records.map(({ offset }) => offset),
        values.map((_, i) => i),
      );
      assert.equal(all.next, 500);
      const late = await readAll(log, 'suite.order', 0, 377, 123);
      // Though the offset lies inside a batch, the first record is the one asked for.
      assert.deepEqual(late.values, values.slice(377));
    });
    withLog('keeps key, value, timestamp and headers, and tells null from empty', async (log) => {
      await log.ensureTopic({ name: 'suite.parts' });
      const headers = [
        { key: 'trace', value: bytes('abc') },
        { key: 'none', value: null },
      ];
      await log.produce('suite.parts', [
        { key: bytes('k'), value: bytes('v'), timestamp: 1_234_567_890_123, headers },
        { key: null, value: null, timestamp: 5 },
        { key: bytes(''), value: bytes(''), timestamp: 0 },
      ]);
      const { records } = await readAll(log, 'suite.parts', 0, 0, 3);
      assert.deepEqual(
        records.map(({ key, value, timestamp }) => [text(key), text(value), timestamp]),
        [
          ['k', 'v', 1_234_567_890_123],
          [null, null, 5],
          ['', '', 0],
        ],
      );
      assert.deepEqual(
        records[0]!.headers.map(({ key, value }) => [key, text(value)]),
        [
          ['trace', 'abc'],
          ['none', null],
        ],
      );
    });
    withLog('puts equal keys into one partition, in the order of the calls', async (log) => {
      await log.ensureTopic({ name: 'suite.keys', partitions: 4 });
      const calls = [0, 1, 2].map((call) =>
        log.produce(
          'suite.keys',
          Array.from({ length: 40 }, (_, i) => record(`${call}:${i}`, { key: bytes(`key ${i % 8}`) })),
        ),
      );
      await Promise.all(calls);
      const ends = await log.offsets('suite.keys', 'latest');
      assert.equal(ends.length, 4);
      const seen = new Map<string, { partition: number; values: string[] }>();
      for (const [partition, end] of ends.entries()) {
        for (const { key, value } of (await readAll(log, 'suite.keys', partition, 0, end)).records) {
          const of = seen.get(text(key)!) ?? { partition, values: [] };
          assert.equal(of.partition, partition);
          of.values.push(text(value)!);
          seen.set(text(key)!, of);
        }
      }
      assert.equal(seen.size, 8);
      const order = [0, 1, 2].flatMap((call) => [0, 8, 16, 24, 32].map((i) => `${call}:${i}`));
      assert.deepEqual(seen.get('key 0')!.values, order);
    });
    withLog('carries records of very different sizes and times', async (log) => {
      await log.ensureTopic({ name: 'suite.sizes' });
      const sizes = [1, 900_000, 0, 700_000, 100, 600_000, 3];
      const times = [5, 1_700_000_000_000, 0, 4_000_000_000, 1_700_000_000_001, 2 ** 31, 2 ** 31 + 5];
      const records = sizes.map((size, i) => record('x'.repeat(size), { timestamp: times[i]! }));
      await log.produce('suite.sizes', records);
      const back = await readAll(log, 'suite.sizes', 0, 0, sizes.length);
      assert.deepEqual(
        back.records.map(({ value, timestamp }) => [value?.byteLength, timestamp]),
        sizes.map((size, i) => [size, times[i]]),
      );
    });
    withLog('serves many partitions at once, each with its own records', async (log) => {
      const partitions = 48;
      await log.ensureTopic({ name: 'suite.many', partitions });
      const keys = Array.from({ length: 2_000 }, (_, i) => `key ${i}`);
      await log.produce(
        'suite.many',
        keys.map((key) => record(`of ${key}`, { key: bytes(key) })),
      );
      const ends = await log.offsets('suite.many', 'latest');
      const all = await Promise.all(ends.map((end, partition) => readAll(log, 'suite.many', partition, 0, end)));
      const seen = all.flatMap(({ records }) => records.map(({ key, value }) => [text(key), text(value)]));
      assert.deepEqual(new Map(seen as [string, string][]), new Map(keys.map((key) => [key, `of ${key}`])));
      assert.equal(seen.length, keys.length);
    });
    withLog('resolves when the records can be read, and rejects what it does not take', async (log) => {
      await log.ensureTopic({ name: 'suite.done', config: { 'max.message.bytes': 2_000 } });
      await log.produce('suite.done', [record('here')]);
      assert.deepEqual(await log.offsets('suite.done', 'latest'), [1]);
      await assert.rejects(log.produce('suite.done', [record('x'.repeat(5_000))]));
      await log.produce('suite.done', [record('again')]);
      assert.equal((await readAll(log, 'suite.done', 0, 0, 2)).values.includes('again'), true);
    });
  });

  describe(`${name}: reading on`, () => {
    withLog('tells a reader at the end when there is more', async (log) => {
      await log.ensureTopic({ name: 'suite.follow' });
      const reading = takeUntil(
        (arrived) => log.read('suite.follow', 0, 0, arrived),
        (records) => records.length >= 3,
      );
      for (const value of ['a', 'b', 'c']) await log.produce('suite.follow', [record(value)]);
      const { records, reader } = await reading;
      assert.deepEqual(
        records.map(({ value }) => text(value)),
        ['a', 'b', 'c'],
      );
      reader.close();
    });
    withLog('goes on after a pause without losing or doubling a record', async (log) => {
      await log.ensureTopic({ name: 'suite.pause' });
      await log.produce(
        'suite.pause',
        Array.from({ length: 100 }, (_, i) => record(String(i))),
      );
      let paused: PartitionReader | undefined;
      const { records, reader } = await takeUntil(
        (arrived) => {
          paused = log.read('suite.pause', 0, 0, arrived);
          paused.pause();
          paused.resume();
          return paused;
        },
        (so) => so.length >= 100,
      );
      assert.deepEqual(
        records.map(({ offset }) => offset),
        Array.from({ length: 100 }, (_, i) => i),
      );
      reader.close();
    });
    withLog('goes on from where it is sought to', async (log) => {
      await log.ensureTopic({ name: 'suite.seek' });
      await log.produce(
        'suite.seek',
        Array.from({ length: 50 }, (_, i) => record(String(i))),
      );
      const first = await takeUntil(
        (arrived) => log.read('suite.seek', 0, 40, arrived),
        (so) => so.length >= 10,
      );
      first.reader.close();
      const { records, reader } = await takeUntil(
        (arrived) => {
          const sought = log.read('suite.seek', 0, 40, arrived);
          sought.seek(10);
          return sought;
        },
        (so) => so.length >= 40,
      );
      assert.equal(records[0]!.offset, 10);
      assert.equal(records.length, 40);
      reader.close();
    });
    withLog('reports an offset beyond the end, each time, until it is sought elsewhere', async (log) => {
      await log.ensureTopic({ name: 'suite.beyond' });
      await log.produce('suite.beyond', [record('a'), record('b')]);
      const range = await outOfRange(log, 'suite.beyond', 7);
      assert.deepEqual(range, { offset: 7, earliest: 0, latest: 2 });
    });
    withLog('reports an offset that retention took', async (log, { expire }) => {
      await log.ensureTopic({ name: 'suite.expired', config: expire.config ?? {} });
      for (let i = 0; i < 20; i++) await log.produce('suite.expired', [record('x'.repeat(500), { timestamp: 0 })]);
      await expire.records('suite.expired');
      const [earliest = 0] = await log.offsets('suite.expired', 'earliest');
      assert.ok(earliest > 0, 'nothing was removed');
      const range = await outOfRange(log, 'suite.expired', 0);
      assert.equal(range.offset, 0);
      assert.equal(range.earliest, earliest);
    });
  });

  describe(`${name}: offsets`, () => {
    withLog('finds earliest, latest and the first record not older than a time', async (log) => {
      await log.ensureTopic({ name: 'suite.times' });
      const times = [1_000, 2_000, 3_000];
      for (const timestamp of times) await log.produce('suite.times', [record('x', { timestamp })]);
      assert.deepEqual(await log.offsets('suite.times', 'earliest'), [0]);
      assert.deepEqual(await log.offsets('suite.times', 'latest'), [3]);
      const at = async (time: number) => (await log.offsets('suite.times', { time }))[0];
      assert.deepEqual([await at(0), await at(2_000), await at(2_001), await at(3_001)], [0, 1, 2, 3]);
    });
    withLog('keeps committed offsets per group and topic, across a reopening', async (log, backend) => {
      await log.ensureTopic({ name: 'suite.groups', partitions: 3 });
      assert.deepEqual(await log.committed('one', 'suite.groups'), new Map());
      await log.produce(
        'suite.groups',
        Array.from({ length: 30 }, (_, i) => record('x', { key: bytes(String(i)) })),
      );
      await log.commit(
        'one',
        'suite.groups',
        new Map([
          [0, 2],
          [2, 1],
        ]),
      );
      await log.commit('two', 'suite.groups', new Map([[0, 1]]));
      await log.commit('one', 'suite.groups', new Map([[0, 1]]));
      const again = await backend.reopen();
      assert.deepEqual([...(await again.committed('one', 'suite.groups'))].sort(), [
        [0, 1],
        [2, 1],
      ]);
      assert.deepEqual(await again.committed('two', 'suite.groups'), new Map([[0, 1]]));
      assert.deepEqual(await again.committed('two', 'suite.other'), new Map());
      await again.close();
    });
  });
}

async function outOfRange(log: TopicLog, topic: string, offset: number) {
  let arrive = () => {};
  const reader = log.read(topic, 0, offset, () => arrive());
  const look = async () => {
    for (;;) {
      const taken = reader.take();
      if (taken.outOfRange) return taken.outOfRange;
      assert.equal(taken.records.length, 0);
      await new Promise<void>((resolve) => (arrive = resolve));
    }
  };
  await look();
  const again = await look();
  reader.close();
  return again;
}
