import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_UUID } from '../protocol/fields.ts';
import { Metadata } from '../protocol/messages/cluster.ts';
import { CreatePartitions, CreateTopics, DeleteRecords, DeleteTopics } from '../protocol/messages/topics.ts';
import { ownDirectory, startBroker } from '../server/broker.fixture.ts';
import { Broker } from '../server/broker.ts';

const OTHER_ID = '11111111-1111-1111-8111-111111111111';

const topic = (name: string, more: object = {}) => ({
  name,
  numPartitions: -1,
  replicationFactor: -1,
  assignments: [],
  configs: [],
  ...more,
});

test('topics are made with what was asked, and the answer says what they got', async (t) => {
  const { client, broker } = await startBroker(t, { settings: { 'num.partitions': 3 } });
  const topics = [
    topic('a', { configs: [{ name: 'retention.ms', value: '5' }] }),
    topic('b', { numPartitions: 2, replicationFactor: 1 }),
    topic('c', {
      assignments: [
        { partitionIndex: 1, brokerIds: [0] },
        { partitionIndex: 0, brokerIds: [0] },
      ],
    }),
  ];
  const nodeId = (await client.call(Metadata, 9, { topics: [] })).controllerId;
  for (const one of topics[2]!.assignments as { brokerIds: number[] }[]) one.brokerIds = [nodeId];
  const tried = await client.call(CreateTopics, 7, { topics, timeoutMs: 1000, validateOnly: true });
  assert.deepEqual(
    tried.topics.map(({ errorCode, topicId }) => [errorCode, topicId]),
    [0, 0, 0].map((code) => [code, NO_UUID]),
  );
  assert.deepEqual(broker.log.topics(), []);
  const made = await client.call(CreateTopics, 7, { topics, timeoutMs: 1000, validateOnly: false });
  assert.deepEqual(
    made.topics.map(({ name, errorCode, numPartitions, replicationFactor }) => [
      name,
      errorCode,
      numPartitions,
      replicationFactor,
    ]),
    [
      ['a', 0, 3, 1],
      ['b', 0, 2, 1],
      ['c', 0, 2, 1],
    ],
  );
  assert.equal(made.topics[0]!.topicId, broker.log.describeTopic('a').id);
  const retention = made.topics[0]!.configs!.find(({ name }) => name === 'retention.ms')!;
  assert.deepEqual([retention.value, retention.configSource], ['5', 1]);
});

test('a topic that cannot be made has Kafka’s error, and leaves the others alone', async (t) => {
  const { client, broker } = await startBroker(t);
  await broker.log.createTopic('there');
  const topics = [
    topic('there'),
    topic('twice'),
    topic('twice'),
    topic('a b'),
    topic('none', { numPartitions: 0 }),
    topic('copies', { numPartitions: 1, replicationFactor: 3 }),
    topic('both', { numPartitions: 1, assignments: [{ partitionIndex: 0, brokerIds: [1] }] }),
    topic('gap', { assignments: [{ partitionIndex: 1, brokerIds: [1] }] }),
    topic('setting', { configs: [{ name: 'retention.ms', value: 'long' }] }),
    topic('codec', { configs: [{ name: 'compression.type', value: 'lzma' }] }),
    topic('null', { configs: [{ name: 'retention.ms', value: null }] }),
    topic('fine'),
  ];
  const made = await client.call(CreateTopics, 7, { topics, timeoutMs: 1000, validateOnly: false });
  assert.deepEqual(
    made.topics.map(({ errorCode }) => errorCode),
    [36, 42, 42, 17, 37, 38, 42, 39, 40, 40, 40, 0],
  );
  assert.match(made.topics[5]!.errorMessage!, /3 replicas: this is one broker.*Apache Kafka/);
  assert.deepEqual(broker.log.topics(), ['fine', 'there']);
});

test('topics are deleted by name or by id, and what is not there says so', async (t) => {
  const { client, broker } = await startBroker(t);
  await broker.log.createTopic('a');
  const { id } = await broker.log.createTopic('b');
  const topics = [
    { name: 'a', topicId: NO_UUID },
    { name: null, topicId: id },
    { name: 'none', topicId: NO_UUID },
    { name: null, topicId: OTHER_ID },
    { name: 'a', topicId: id },
    { name: null, topicId: NO_UUID },
  ];
  const { responses } = await client.call(DeleteTopics, 6, { topics, topicNames: [], timeoutMs: 1000 });
  assert.deepEqual(
    responses.map(({ errorCode }) => errorCode),
    [0, 0, 3, 100, 42, 42],
  );
  assert.equal(responses[1]!.name, 'b');
  assert.deepEqual(broker.log.topics(), []);
});

test('a topic that is named twice is not deleted: who knows what was meant', async (t) => {
  const { client, broker } = await startBroker(t);
  await broker.log.createTopic('a');
  const { responses } = await client.call(DeleteTopics, 5, { topicNames: ['a', 'a'], topics: [], timeoutMs: 1000 });
  assert.deepEqual(
    responses.map(({ errorCode }) => errorCode),
    [42, 42],
  );
  assert.deepEqual(broker.log.topics(), ['a']);
});

test('a topic grows, keeps its records, and is as large after a restart', async (t) => {
  const directory = ownDirectory(t);
  const { client, broker } = await startBroker(t, { directory });
  await broker.log.createTopic('t', { partitions: 2 });
  const producer = broker.log.producer();
  await producer.send({ topic: 't', partition: 1, value: Buffer.from('x') });
  const grow = async (count: number, more: object = {}) => {
    const topics = [{ name: 't', count, assignments: null, ...more }];
    const { results } = await client.call(CreatePartitions, 3, {
      topics,
      timeoutMs: 1000,
      validateOnly: false,
      ...more,
    });
    return results[0]!.errorCode;
  };
  assert.equal(await grow(2), 37);
  assert.equal(await grow(1), 37);
  assert.equal(await grow(1_000_000), 37);
  assert.equal(await grow(4, { validateOnly: true }), 0);
  assert.equal(await grow(4, { assignments: [{ brokerIds: [77] }, { brokerIds: [77] }] }), 39);
  assert.equal(broker.log.describeTopic('t').partitions.length, 2);
  assert.equal(await grow(4), 0);
  assert.equal(await grow(4), 37);
  await producer.send({ topic: 't', partition: 3, value: Buffer.from('y') });
  assert.deepEqual(
    broker.log.describeTopic('t').partitions.map(({ latest }) => latest),
    [0, 1, 0, 1],
  );
  const twice = { name: 't', count: 9, assignments: null };
  const answer = await client.call(CreatePartitions, 3, {
    topics: [twice, twice, { ...twice, name: 'none' }],
    timeoutMs: 1000,
    validateOnly: false,
  });
  assert.deepEqual(
    answer.results.map(({ errorCode }) => errorCode),
    [42, 42, 3],
  );
  await client.close();
  await broker.close();
  const again = await Broker.start({ directory });
  assert.deepEqual(
    again.log.describeTopic('t').partitions.map(({ latest }) => latest),
    [0, 1, 0, 1],
  );
  await again.close();
});

test('records are deleted up to an offset or all of them, but not on a topic that is only compacted', async (t) => {
  const { client, broker } = await startBroker(t);
  await broker.log.createTopic('t', { partitions: 2 });
  await broker.log.createTopic('keys', { config: { 'cleanup.policy': 'compact' } });
  const producer = broker.log.producer();
  for (let n = 0; n < 6; n++) await producer.send({ topic: 't', partition: n % 2, value: Buffer.from('x') });
  const partitions = [
    { partitionIndex: 0, offset: 2 },
    { partitionIndex: 1, offset: -1 },
    { partitionIndex: 0, offset: 4 },
    { partitionIndex: 5, offset: 0 },
  ];
  const { topics } = await client.call(DeleteRecords, 2, {
    topics: [
      { name: 't', partitions },
      { name: 'keys', partitions: [{ partitionIndex: 0, offset: 0 }] },
    ],
    timeoutMs: 1000,
  });
  assert.deepEqual(
    topics.flatMap((one) => one.partitions.map(({ errorCode, lowWatermark }) => [errorCode, lowWatermark])),
    [
      [0, 2],
      [0, 3],
      [1, -1],
      [3, -1],
      [44, -1],
    ],
  );
  assert.deepEqual(broker.log.offsets('t', 0), { earliest: 2, latest: 3 });
});

test('metadata gives topics by name and by id, makes those that may be made, and says what is not there', async (t) => {
  const { client, broker } = await startBroker(t, { settings: { 'num.partitions': 2 } });
  const { id } = await broker.log.createTopic('t');
  const ask = async (topics: readonly object[] | null, more: object = {}) => {
    const { topics: found } = await client.call(Metadata, 12, { topics: topics as [], ...more });
    return found.map(({ name, errorCode, partitions }) => [name, errorCode, partitions.length]);
  };
  assert.deepEqual(await ask(null), [['t', 0, 1]]);
  assert.deepEqual(await ask([]), []);
  assert.deepEqual(await ask([{ name: null, topicId: id }]), [['t', 0, 1]]);
  assert.deepEqual(await ask([{ name: null, topicId: OTHER_ID }]), [[null, 100, 0]]);
  assert.deepEqual(await ask([{ name: 'none' }], { allowAutoTopicCreation: false }), [['none', 3, 0]]);
  assert.deepEqual(await ask([{ name: 'a b' }]), [['a b', 17, 0]]);
  assert.deepEqual(await ask([{ name: 'a b' }], { allowAutoTopicCreation: false }), [['a b', 17, 0]]);
  assert.deepEqual(await ask([{ name: 'new' }, { name: 'new' }]), [['new', 0, 2]]);
  const both = { topics: [{ name: 'new' }, { name: null, topicId: id }] };
  const old = await client.call(Metadata, 11, both);
  assert.deepEqual(
    old.topics.map(({ name, errorCode }) => [name, errorCode]),
    [
      ['new', 42],
      ['', 42],
    ],
    'ids are for version 12 on',
  );
  assert.deepEqual(broker.log.topics(), ['new', 't']);
  const v0 = await client.call(Metadata, 0, { topics: [] });
  assert.equal(v0.topics.length, 2, 'in v0 no names are all');
});
