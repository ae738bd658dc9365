/** What a log over brokers must do besides topic-log-suite.ts, run against each kind of broker. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { partitionForKey } from '@millrace/broker';
import { Admin, Consumer, Producer } from '@platformatic/kafka';
import { realRuntime } from '../runtime/real.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { CONTROL_TOPIC } from './control-topic.ts';
import { READ_AHEAD } from './kafka/reader.ts';
import { kafkaTopicLog } from './kafka.ts';
import type { PartitionReader, TopicLog, TopicRecord } from './topic-log.ts';
import type { Backend } from './topic-log-suite.ts';

/** Brokers that are up. */
export interface Brokers {
  readonly bootstrap: string;
  /** Stops them, and starts them again with the same address and data. */
  readonly restart: (() => Promise<void>) | { readonly skip: string };
  close(): Promise<void>;
}

const text = (value: Uint8Array | null) => (value === null ? null : Buffer.from(value).toString());
const record = (value: string | Buffer, key?: string) => ({
  key: key === undefined ? null : Buffer.from(key),
  value: Buffer.from(value),
  timestamp: 1_000,
});

/** Where a second takes a fiftieth of it, so that what gives up after ten seconds can be waited for. */
function hastily({ clock, timers, random }: Runtime): Pick<Runtime, 'clock' | 'timers' | 'random'> {
  return {
    clock: { now: clock.now, monotonic: () => clock.monotonic() * 50 },
    timers: { ...timers, after: (ms, callback) => timers.after(ms / 50, callback) },
    random,
  };
}

export function topicsAt(bootstrap: string, more: { hasty?: boolean; log?: (text: string) => void } = {}): TopicLog {
  const runtime = more.hasty ? hastily(realRuntime()) : realRuntime();
  return kafkaTopicLog({ brokers: [bootstrap], clientId: 'suite', runtime, log: more.log ?? (() => {}) });
}

/** The seam over brokers that are up, for topic-log-suite.ts. Retention is played by somebody who deletes records. */
export function kafkaBackend({ bootstrap, close }: Pick<Brokers, 'bootstrap' | 'close'>): Backend {
  return {
    log: topicsAt(bootstrap),
    reopen: async () => topicsAt(bootstrap),
    close,
    compact: { skip: 'its cleaner works by its own time' },
    expire: {
      async records(topic) {
        const admin = new Admin({ clientId: 'suite', bootstrapBrokers: [bootstrap] });
        const partitions = [{ partition: 0, offset: 7n }];
        await admin.deleteRecords({ topics: [{ name: topic, partitions }] });
        await admin.close();
      },
    },
  };
}

/** Follows partitions: `until` resolves with the values of all that has been taken when the condition holds. */
function follow(log: TopicLog, topic: string, partitions: readonly number[] = [0]) {
  const records: TopicRecord[] = [];
  const failures: unknown[] = [];
  let look = () => {};
  const drain = (reader: PartitionReader) => {
    try {
      for (;;) {
        const taken = reader.take();
        assert.equal(taken.outOfRange, undefined);
        if (taken.outOfRange || taken.records.length === 0) break;
        records.push(...taken.records);
      }
    } catch (error) {
      failures.push(error);
    }
    look();
  };
  const readers = partitions.map((partition) => {
    const reader: PartitionReader = log.read(topic, partition, 0, () => drain(reader));
    return reader;
  });
  const until = (enough: () => boolean) =>
    new Promise<readonly (string | null)[]>((resolve) => {
      look = () => enough() && resolve(records.map(({ value }) => text(value)));
      look();
    });
  const close = () => {
    for (const reader of readers) reader.close();
  };
  return { readers, records, failures, until, close };
}

export function kafkaSuite(name: string, open: () => Promise<Brokers>): void {
  const withLog = (title: string, run: (log: TopicLog, brokers: Brokers, t: TestContext) => Promise<unknown>) =>
    test(title, { timeout: 60_000 }, async (t) => {
      const brokers = await open();
      const log = topicsAt(brokers.bootstrap);
      try {
        await run(log, brokers, t);
      } finally {
        await log.close();
        await brokers.close();
      }
    });

  describe(`${name}: over the network`, () => {
    withLog('shows records of transactions when they are committed, and never aborted ones', transactions);
    withLog("finds a marker behind somebody else's open transaction", hiddenMarker);
    withLog('publishes each epoch once when the brokers have been away', restartWhilePublishing);
    withLog('reads what other clients compressed, by every codec', compression);
    withLog('chooses the partition that Kafka would', keys);
    withLog('a reader that nobody takes from holds no more than its bound, a paused one nothing', bound);
    withLog('splits a batch that is larger than the topic takes', split);
    withLog('goes on when the brokers have been away, without a loss or a second copy', restart);
    withLog('says so when other consumers are members of the group', groupInUse);
    withLog('says so when the topic is deleted while it is read', deletion);
  });
}

async function transactions(log: TopicLog, { bootstrap }: Brokers) {
  const topic = 'kafka.transactions';
  await log.ensureTopic({ name: topic });
  const producer = new Producer({
    clientId: 'suite',
    bootstrapBrokers: [bootstrap],
    idempotent: true,
    transactionalId: 'suite',
  });
  const inTransaction = async (...values: string[]) => {
    const transaction = await producer.beginTransaction();
    await transaction.send({ messages: values.map((value) => ({ topic, partition: 0, value: Buffer.from(value) })) });
    return transaction;
  };
  const { close, until, records } = follow(log, topic);
  await (await inTransaction('aborted 1', 'aborted 2')).abort();
  await (await inTransaction('committed 1', 'committed 2')).commit();
  await log.produce(topic, [record('plain 1')]);
  assert.deepEqual(await until(() => records.length >= 3), ['committed 1', 'committed 2', 'plain 1']);
  const [before] = await log.offsets(topic, 'latest');
  const open = await inTransaction('open 1');
  await log.produce(topic, [record('plain 2')]);
  assert.deepEqual(await log.offsets(topic, 'latest'), [before], 'an open transaction ends what can be read');
  assert.equal(records.length, 3);
  await open.commit();
  await until(() => records.length >= 5);
  await (await inTransaction('aborted 3')).abort();
  await log.produce(topic, [record('plain 3')]);
  const all = await until(() => records.length >= 6);
  assert.deepEqual(all.slice(3), ['open 1', 'plain 2', 'plain 3']);
  // In one answer from the broker, the aborted and the committed of one producer stand side by side.
  const again = follow(log, topic);
  assert.deepEqual(await again.until(() => again.records.length >= 6), all);
  again.close();
  close();
  await producer.close();
}

async function hiddenMarker(log: TopicLog, { bootstrap }: Brokers) {
  await log.ensureTopic({ name: 'kafka.hidden' });
  const transactions = log.transactions('hidden');
  await transactions.claim();
  const producer = new Producer({
    clientId: 'suite',
    bootstrapBrokers: [bootstrap],
    idempotent: true,
    transactionalId: 'hiding',
  });
  const open = await producer.beginTransaction();
  const key = Buffer.from('hiding');
  await open.send({ messages: [{ topic: CONTROL_TOPIC, partition: 0, key, value: Buffer.from('open') }] });
  await transactions.publish('kafka.hidden', [record('seen')], Buffer.from('behind'));
  assert.equal(text((await log.transactions('hidden').claim())!), 'behind');
  assert.equal(await log.transactions('hiding.too').claim(), undefined);
  await open.abort();
  await producer.close();
}

async function restartWhilePublishing(log: TopicLog, brokers: Brokers, t: TestContext) {
  if (typeof brokers.restart !== 'function') return t.skip(brokers.restart.skip);
  const topic = 'kafka.epochs';
  await log.ensureTopic({ name: topic, partitions: 2 });
  const transactions = log.transactions('epochs');
  let marker = (await transactions.claim()) ?? null;
  let restarted: Promise<void> | undefined;
  for (let epoch = 0; epoch < 30; epoch++) {
    if (epoch === 10) restarted = brokers.restart();
    const records = [0, 1, 2, 3].map((i) => record(`${epoch}.${i}`, `key ${i}`));
    while (text(marker) !== String(epoch)) {
      try {
        await transactions.publish(topic, records, Buffer.from(String(epoch)));
        marker = Buffer.from(String(epoch));
      } catch {
        marker = (await transactions.claim()) ?? null;
      }
    }
  }
  await restarted;
  const { close, until, records } = follow(log, topic, [0, 1]);
  await until(() => records.length >= 120);
  for (const [key, of] of Map.groupBy(records, (one) => text(one.key)!)) {
    const wanted = Array.from({ length: 30 }, (_, epoch) => `${epoch}.${key.slice(4)}`);
    assert.deepEqual(
      of.map(({ value }) => text(value)),
      wanted,
    );
  }
  close();
}

async function compression(log: TopicLog, { bootstrap }: Brokers) {
  const producer = new Producer({ clientId: 'suite', bootstrapBrokers: [bootstrap] });
  for (const compression of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
    const topic = `kafka.${compression}`;
    await log.ensureTopic({ name: topic });
    const values = Array.from({ length: 200 }, (_, i) => `${compression} ${'again and '.repeat(50)}${i}`);
    const messages = values.map((value) => ({ topic, partition: 0, value: Buffer.from(value) }));
    await producer.send({ messages, compression, acks: -1 });
    const { close, until, records } = follow(log, topic);
    assert.deepEqual(await until(() => records.length >= values.length), values);
    close();
  }
  await producer.close();
}

async function keys(log: TopicLog) {
  await log.ensureTopic({ name: 'kafka.keys', partitions: 5 });
  const all = Array.from({ length: 50 }, (_, i) => `key ${'x'.repeat(i)}${i}`);
  await log.produce(
    'kafka.keys',
    all.map((key) => record(key, key)),
  );
  const ends = await log.offsets('kafka.keys', 'latest');
  for (const [partition, end] of ends.entries()) {
    const { close, until, records } = follow(log, 'kafka.keys', [partition]);
    const values = await until(() => records.length >= end);
    for (const value of values) assert.equal(partitionForKey(Buffer.from(value!), 5), partition);
    close();
  }
}

async function bound(log: TopicLog) {
  const topic = 'kafka.bound';
  await log.ensureTopic({ name: topic });
  const value = Buffer.alloc(100_000, 'x');
  const count = 120;
  await log.produce(
    topic,
    Array.from({ length: count }, () => record(value)),
  );
  const held = (reader: PartitionReader) => (reader as PartitionReader & { readonly waiting: number }).waiting;
  const left = log.read(topic, 0, 0, () => {});
  const paused = log.read(topic, 0, 0, () => {});
  paused.pause();
  // What is served goes round, so whoever wanted more has been asked for whenever this one was.
  const other = follow(log, topic);
  await other.until(() => other.records.length >= count);
  assert.ok(held(left) > 0, 'it was never fetched for');
  assert.ok(held(left) <= READ_AHEAD + 600_000, `${held(left)} bytes wait`);
  assert.equal(held(paused), 0);
  for (const reader of [left, paused, other]) reader.close();
}

async function split(log: TopicLog) {
  const topic = 'kafka.split';
  await log.ensureTopic({ name: topic, config: { 'max.message.bytes': 2_000 } });
  const values = Array.from({ length: 60 }, (_, i) => `${i} ${'x'.repeat(300)}`);
  const sending = values.map((value) => record(value));
  sending.splice(30, 0, record('y'.repeat(5_000)));
  await assert.rejects(log.produce(topic, sending), { code: 'MR_BROKER_REFUSED', message: /MESSAGE_TOO_LARGE/ });
  const { close, until, records } = follow(log, topic);
  assert.deepEqual(await until(() => records.length >= values.length), values);
  close();
}

async function restart(_: TopicLog, brokers: Brokers, t: TestContext) {
  if (typeof brokers.restart !== 'function') return t.skip(brokers.restart.skip);
  const said: string[] = [];
  const log = topicsAt(brokers.bootstrap, { log: (line) => said.push(line) });
  await log.ensureTopic({ name: 'kafka.restart', partitions: 2 });
  await log.commit('kept', 'kafka.restart', new Map([[0, 1]]));
  const { close, until, records } = follow(log, 'kafka.restart', [0, 1]);
  const sent: Promise<void>[] = [];
  const send = (from: number, to: number) => {
    for (let i = from; i < to; i++) sent.push(log.produce('kafka.restart', [record(String(i), `key ${i % 4}`)]));
  };
  send(0, 300);
  await until(() => records.length >= 100);
  const restarted = brokers.restart();
  send(300, 600);
  await restarted;
  send(600, 700);
  await Promise.all(sent);
  await until(() => records.length >= 700);
  for (const [key, of] of Map.groupBy(records, (one) => text(one.key))) {
    const wanted = Array.from({ length: 175 }, (_, i) => String(4 * i + Number(key!.slice(4))));
    assert.deepEqual(
      of.map(({ value }) => text(value)),
      wanted,
    );
  }
  assert.deepEqual(await log.committed('kept', 'kafka.restart'), new Map([[0, 1]]));
  assert.match(said.join('\n'), /does not answer.*\n.*answer again/s);
  close();
  await log.close();
}

async function groupInUse(log: TopicLog, { bootstrap }: Brokers) {
  const topic = 'kafka.used';
  await log.ensureTopic({ name: topic });
  const consumer = new Consumer({ clientId: 'suite', bootstrapBrokers: [bootstrap], groupId: 'used' });
  const stream = await consumer.consume({ topics: [topic], mode: 'latest' });
  await assert.rejects(log.commit('used', topic, new Map([[0, 0]])), { code: 'MR_GROUP_IN_USE' });
  await stream.close();
  await consumer.close();
  await log.commit('used', topic, new Map([[0, 0]]));
}

async function deletion(_: TopicLog, { bootstrap }: Brokers) {
  const topic = 'kafka.deleted';
  const log = topicsAt(bootstrap, { hasty: true });
  await log.ensureTopic({ name: topic });
  await log.produce(topic, [record('here')]);
  const { close, readers, until, records, failures } = follow(log, topic);
  await until(() => records.length === 1);
  const admin = new Admin({ clientId: 'suite', bootstrapBrokers: [bootstrap] });
  await admin.deleteTopics({ topics: [topic] });
  await admin.close();
  await until(() => failures.length > 0);
  assert.throws(() => readers[0]!.take(), { code: 'MR_TOPIC_GONE' }, 'and again each time');
  await assert.rejects(log.produce(topic, [record('lost')]), { code: 'MR_TOPIC_GONE' });
  close();
  await log.close();
}
