import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import type { LogError } from '../errors.ts';
import { openLog } from '../log/log.ts';
import { ManualClock } from '../log/manual-clock.ts';
import { ApiVersions, Metadata } from '../protocol/messages/cluster.ts';
import { Produce } from '../protocol/messages/records.ts';
import { DescribeProducers } from '../protocol/messages/transactions.ts';
import { batchOf, ownDirectory, startBroker } from './broker.fixture.ts';
import { Broker } from './broker.ts';
import { TestClient } from './client.fixture.ts';

const all = { topics: null, includeTopicAuthorizedOperations: false };
const hasIPv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));

test('it listens on this machine, on a free port, and tells clients to come there', async (t) => {
  const { broker, client } = await startBroker(t);
  assert.equal(broker.host, '127.0.0.1');
  assert.notEqual(broker.port, 0);
  assert.equal(broker.bootstrap, `127.0.0.1:${broker.port}`);
  const { brokers, clusterId } = await client.call(Metadata, 12, all);
  assert.deepEqual(
    brokers.map(({ host, port }) => [host, port]),
    [['127.0.0.1', broker.port]],
  );
  assert.match(clusterId!, /^[\w-]{22}$/);
});

test('beyond this machine it listens only when that is said', async (t) => {
  const refused = Broker.start({ directory: ownDirectory(t), host: '0.0.0.0' });
  await assert.rejects(refused, (error: LogError) => {
    assert.equal(error.code, 'INVALID_CONFIG');
    assert.match(error.message, /0\.0\.0\.0 can be reached from other machines/);
    return true;
  });
  const { broker, client } = await startBroker(t, { host: '0.0.0.0', allowRemote: true });
  const { brokers } = await client.call(Metadata, 12, all);
  assert.deepEqual([brokers[0]!.host, brokers[0]!.port], ['127.0.0.1', broker.port], 'the address by which one came');
});

test('it advertises what it is told to', async (t) => {
  const { broker, client } = await startBroker(t, { advertised: { host: 'kafka.example' } });
  const { brokers } = await client.call(Metadata, 12, all);
  assert.deepEqual([brokers[0]!.host, brokers[0]!.port], ['kafka.example', broker.port]);
});

test('IPv6', { skip: hasIPv6 ? false : 'this machine has no ::1' }, async (t) => {
  const { broker, client } = await startBroker(t, { host: '::1' });
  assert.equal(broker.bootstrap, `[::1]:${broker.port}`);
  assert.equal((await client.call(Metadata, 12, all)).brokers[0]!.host, '::1');
});

test('a port that is taken is told with what to do', async (t) => {
  const { broker } = await startBroker(t);
  const second = Broker.start({ directory: ownDirectory(t), port: broker.port });
  await assert.rejects(second, { code: 'CANNOT_LISTEN', message: /is in use; stop what uses it, or choose another/ });
});

test('a directory whose start failed is not left locked', async (t) => {
  const directory = ownDirectory(t);
  await assert.rejects(Broker.start({ directory, host: '0.0.0.0' }));
  await (await Broker.start({ directory })).close();
});

test('a log that was open already is shared, and stays open when the broker is closed', async (t) => {
  const log = await openLog({ directory: ownDirectory(t) });
  const broker = await Broker.start({ log });
  await log.createTopic('made-here');
  const client = await TestClient.connect(broker.port);
  const { topics } = await client.call(Metadata, 12, all);
  assert.deepEqual(
    topics.map(({ name }) => name),
    ['made-here'],
  );
  await client.close();
  await broker.close();
  assert.deepEqual(log.topics(), ['made-here']);
  await log.close();
});

test('connections beyond max.connections are refused, and those that are open are not disturbed', async (t) => {
  const { broker, client, remarks } = await startBroker(t, { settings: { 'max.connections': 1 } });
  const second = await TestClient.connect(broker.port);
  await second.closed;
  assert.match(remarks[0]!, /there are 1 connections/);
  assert.equal((await client.call(ApiVersions, 0, {})).errorCode, 0);
});

test('producer.id.expiration.ms says how long an idle producer is remembered, across restarts too', async (t) => {
  const day = 86_400_000;
  const clock = new ManualClock();
  const settings = { 'producer.id.expiration.ms': 3 * day };
  const directory = ownDirectory(t);
  const known: number[] = [];
  for (const age of [0, 2 * day, day]) {
    clock.advance(age);
    const { broker, client } = await startBroker(t, { clock, directory, settings });
    if (age === 0) {
      await broker.log.createTopic('t');
      const records = batchOf(['a'], { producerId: 5, producerEpoch: 0, baseSequence: 0 });
      const topicData = [{ name: 't', partitionData: [{ index: 0, records }] }];
      await client.call(Produce, 9, { acks: -1, timeoutMs: 1000, topicData });
    }
    const asked = { topics: [{ name: 't', partitionIndexes: [0] }] };
    known.push((await client.call(DescribeProducers, 0, asked)).topics[0]!.partitions[0]!.activeProducers.length);
    await client.close();
    await broker.close();
  }
  assert.deepEqual(known, [1, 1, 0]);
});

test('a setting that is not there, or cannot be, is refused by name', async (t) => {
  const start = (settings: object) => Broker.start({ directory: ownDirectory(t), settings });
  await assert.rejects(start({ 'num.partition': 2 }), { message: /'num.partition' is not a broker setting/ });
  await assert.rejects(start({ 'num.partitions': 'two' }), {
    message: /num.partitions is "two"; it must be an integer/,
  });
});
