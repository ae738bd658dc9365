import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Codec } from '../codec/codec.ts';
import { topic } from './topic.ts';

const value: Codec<{ device: string }> = {
  encode: () => new Uint8Array(),
  decode: () => ({ device: '' }),
};

test('a topic is plain data', () => {
  const config = { 'retention.ms': 1_000 };
  const made = topic('sensor_readings', { value, key: (r) => r.device, partitions: 4, config });
  assert.equal(made.name, 'sensor_readings');
  assert.equal(made.partitions, 4);
  assert.equal(made.key?.({ device: 'd' }), 'd');
  assert.equal(made.config, config);
});

test('takes every name that Kafka takes, and no other', () => {
  for (const name of ['a', 'A.b_c-9', '...', '.a', '__consumer_offsets', 'x'.repeat(249)]) topic(name, { value });
  for (const name of ['', '.', '..', 'a b', 'a/b', 'ä', 'a\n', 'x'.repeat(250), undefined as never]) {
    assert.throws(() => topic(name, { value }), { code: 'MR_TOPIC_NAME' }, name);
  }
});

test('refuses partitions that are no number of partitions', () => {
  for (const partitions of [0, -1, 1.5, Number.NaN, 10_001]) {
    assert.throws(() => topic('t', { value, partitions }), { code: 'MR_OPTION' }, String(partitions));
  }
});
