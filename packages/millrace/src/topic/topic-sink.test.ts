import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Codec } from '../codec/codec.ts';
import { driveSink } from '../connectors/drive.ts';
import { memoryTopicLog } from './memory-topic-log.ts';
import { type TopicSettings, topic } from './topic.ts';
import { topicSink } from './topic-sink.ts';

interface Reading {
  readonly device: string | null;
  readonly value: number;
  readonly at?: number;
}
const json: Codec<Reading> = {
  encode(reading) {
    if (Number.isNaN(reading.value)) throw new Error('value is NaN');
    return new TextEncoder().encode(JSON.stringify(reading));
  },
  decode: (bytes) => JSON.parse(new TextDecoder().decode(bytes)) as Reading,
};
const text = (bytes: Uint8Array | null) => bytes && new TextDecoder().decode(bytes);

async function open(settings: Partial<TopicSettings<Reading>> = {}) {
  const log = memoryTopicLog();
  const readings = topic('readings', { value: json, ...settings });
  return { log, sink: await driveSink(topicSink(readings), { resources: { log } }), declared: topicSink(readings) };
}

test('writes key, value and the tuple time, and has written when it resolves', async () => {
  const { log, sink } = await open({ key: (r) => r.device });
  await sink.write(
    [
      { device: 'd1', value: 1 },
      { device: null, value: 2 },
    ],
    [1_000, 2_000.75],
  );
  const [records] = log.records('readings');
  assert.deepEqual(
    records!.map(({ key, value, timestamp }) => [text(key), text(value), timestamp]),
    [
      ['d1', '{"device":"d1","value":1}', 1_000],
      [null, '{"device":null,"value":2}', 2_000],
    ],
  );
});

test('the time that the topic takes from the value wins over the time of the tuple', async () => {
  const { log, sink } = await open({ time: (r) => r.at! });
  await sink.write([{ device: 'd', value: 1, at: 77 }], [5]);
  assert.equal(log.records('readings')[0]![0]!.timestamp, 77);
});

test('bytes are a key as they are', async () => {
  const { log, sink } = await open({ key: (r) => Uint8Array.of(0, r.value) });
  await sink.write([{ device: 'd', value: 255 }]);
  assert.deepEqual(log.records('readings')[0]![0]!.key, Uint8Array.of(0, 255));
});

test('makes the topic as declared', async () => {
  const { log } = await open({ partitions: 5, config: { 'retention.ms': 60_000 } });
  const found = await log.ensureTopic({ name: 'readings' });
  assert.deepEqual(found, { partitions: 5, config: { 'retention.ms': 60_000 } });
});

test('a value that the codec refuses is named with its topic, and nothing of its batch is written', async () => {
  const { log, sink } = await open();
  const batch = [
    { device: 'good', value: 1 },
    { device: 'bad', value: Number.NaN },
  ];
  await assert.rejects(sink.write(batch), (error: Error & { code: string }) => {
    assert.equal(error.code, 'MR_TOPIC_VALUE');
    assert.match(error.message, /topic 'readings'.*device: 'bad', value: NaN.*value is NaN/);
    return true;
  });
  assert.deepEqual(log.records('readings'), [[]]);
});

test('a key that is neither text nor bytes is refused', async () => {
  const { sink } = await open({ key: (r) => r.value as never });
  await assert.rejects(sink.write([{ device: 'd', value: 9 }]), {
    code: 'MR_TOPIC_KEY',
    message: /the key of .* is 9:/,
  });
});

test('a time that is none is refused', async () => {
  const { sink } = await open({ time: () => Number.NaN });
  await assert.rejects(sink.write([{ device: 'd', value: 9 }]), { code: 'MR_TOPIC_TIME' });
  const { sink: timeless } = await open();
  await assert.rejects(timeless.write([{ device: 'd', value: 9 }], [-1]), { code: 'MR_TOPIC_TIME' });
  await assert.rejects(timeless.write([{ device: 'd', value: 9 }], [Number.POSITIVE_INFINITY]), {
    code: 'MR_TOPIC_TIME',
  });
});

test('a log that refuses fails the write', async () => {
  const { log, sink } = await open();
  log.failNext(new Error('no space left'));
  await assert.rejects(sink.write([{ device: 'd', value: 1 }]), /no space left/);
});

test('what the log would refuse when its epoch is published is refused before, with its value', async () => {
  const small = topicSink(topic('small', { value: json, config: { 'max.message.bytes': 500 } }));
  const prepare = small.epochs!.prepare as (value: Reading, time: number) => unknown;
  prepare({ device: 'x'.repeat(300), value: 1 }, 5);
  const refusal = { code: 'MR_TOPIC_VALUE', message: /topic 'small'.*has about \d+ bytes.*max.message.bytes/ };
  assert.throws(() => prepare({ device: 'x'.repeat(500), value: 1 }, 5), refusal);
  assert.throws(() => prepare({ device: 'd', value: Number.NaN }, 5), { code: 'MR_TOPIC_VALUE' });
  assert.throws(() => prepare({ device: 'd', value: 1 }, -1), { code: 'MR_TOPIC_TIME' });
  const compacted = topicSink(
    topic('compacted', { value: json, key: (r) => r.device, config: { 'cleanup.policy': 'compact' } }),
  );
  const prepareKeyed = compacted.epochs!.prepare as typeof prepare;
  prepareKeyed({ device: 'd', value: 1 }, 5);
  assert.throws(() => prepareKeyed({ device: null, value: 1 }, 5), { code: 'MR_TOPIC_KEY', message: /compacted/ });
});

test('what waits for its epoch is plain data: it comes through a structured clone as it is', async () => {
  const { declared } = await open({ key: (r) => r.device });
  const prepare = declared.epochs!.prepare as (value: Reading, time: number) => unknown;
  const prepared = prepare({ device: 'd', value: 1 }, 5);
  assert.deepEqual(structuredClone(prepared), prepared);
});
