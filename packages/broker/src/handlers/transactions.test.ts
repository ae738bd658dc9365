import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStorage } from '../log/faulty-storage.ts';
import { Produce } from '../protocol/messages/records.ts';
import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  DescribeProducers,
  DescribeTransactions,
  EndTxn,
  InitProducerId,
  ListTransactions,
  TxnOffsetCommit,
  WriteTxnMarkers,
} from '../protocol/messages/transactions.ts';
import { batchOf, startBroker } from '../server/broker.fixture.ts';
import type { Broker } from '../server/broker.ts';
import type { TestClient } from '../server/client.fixture.ts';

const transactionalId = 'id';
const nothing = { producerId: -1, producerEpoch: -1 };

interface Producer {
  readonly producerId: number;
  readonly producerEpoch: number;
}

function init(client: TestClient, version: number, expected = nothing, id: string | null = transactionalId) {
  return client.call(InitProducerId, version, { transactionalId: id, transactionTimeoutMs: 60_000, ...expected });
}

async function add(client: TestClient, version: number, producer: Producer, partitions: number[], verifyOnly = false) {
  const topics = [{ name: 't', partitions }];
  const request =
    version >= 4
      ? { transactions: [{ transactionalId, ...producer, verifyOnly, topics }] }
      : {
          v3AndBelowTransactionalId: transactionalId,
          v3AndBelowProducerId: producer.producerId,
          v3AndBelowProducerEpoch: producer.producerEpoch,
          v3AndBelowTopics: topics,
        };
  const answer = await client.call(AddPartitionsToTxn, version, request);
  const results = version >= 4 ? answer.resultsByTransaction[0]!.topicResults : answer.resultsByTopicV3AndBelow;
  return results.flatMap(({ resultsByPartition }) => resultsByPartition.map((one) => one.partitionErrorCode));
}

async function produce(
  client: TestClient,
  producer: Producer,
  value: string,
  baseSequence = 0,
  version = 9,
): Promise<number> {
  const records = batchOf([value], { ...producer, baseSequence, attributes: 0x10 });
  const topicData = [{ name: 't', partitionData: [{ index: 0, records }] }];
  const { responses } = await client.call(Produce, version, { transactionalId, acks: -1, timeoutMs: 1000, topicData });
  return responses[0]!.partitionResponses[0]!.errorCode;
}

async function commitOffset(client: TestClient, version: number, producer: Producer, topic = 't', member = {}) {
  const { topics } = await client.call(TxnOffsetCommit, version, {
    transactionalId,
    groupId: 'g',
    ...producer,
    memberId: '',
    topics: [{ name: topic, partitions: [{ partitionIndex: 0, committedOffset: 5, committedMetadata: 'm' }] }],
    ...member,
  });
  return topics[0]!.partitions[0]!.errorCode;
}

async function end(client: TestClient, version: number, producer: Producer, committed: boolean): Promise<number> {
  return (await client.call(EndTxn, version, { transactionalId, ...producer, committed })).errorCode;
}

function values(broker: Broker): string[] {
  return broker.log.read('t', 0, 0).records.map(({ value }) => Buffer.from(value!).toString());
}

test('a transaction of records and offsets is committed and aborted, in the oldest and the newest versions', async (t) => {
  for (const [initVersion, addVersion, version] of [
    [0, 0, 0],
    [5, 3, 4],
    [5, 5, 4],
  ] as const) {
    const { broker, client } = await startBroker(t);
    await broker.log.createTopic('t');
    const { errorCode, producerId, producerEpoch } = await init(client, initVersion);
    const producer = { producerId, producerEpoch };
    assert.deepEqual([errorCode, producerEpoch], [0, 0]);
    for (const committed of [false, true]) {
      const before = committed ? 1 : 0;
      assert.equal(await produce(client, producer, 'early', before), 48, 'not before the partition is added');
      assert.deepEqual(await add(client, addVersion, producer, [0]), [0]);
      assert.equal(await produce(client, producer, committed ? 'yes' : 'no', before), 0);
      const unadded = version >= 4 ? 120 : 48;
      assert.equal(await commitOffset(client, version, producer), unadded, 'not before the group is added');
      const added = await client.call(AddOffsetsToTxn, version, { transactionalId, ...producer, groupId: 'g' });
      assert.equal(added.errorCode, 0);
      assert.equal(await commitOffset(client, version, producer), 0);
      assert.equal(await commitOffset(client, version, producer, 'unknown'), 3);
      assert.deepEqual(values(broker), []);
      assert.equal(await end(client, version, producer, committed), 0);
      assert.deepEqual(values(broker), committed ? ['yes'] : []);
      assert.equal(broker.log.committedOffsets('g', 't').get(0), committed ? 5 : undefined);
      assert.equal(broker.log.committedOffsets('g', 'unknown').size, 0);
      assert.equal(await end(client, version, producer, committed), 0, 'a retry');
    }
  }
});

test('newer producers hear that the transaction is lost, and not they themselves', async (t) => {
  const { broker, client } = await startBroker(t);
  await broker.log.createTopic('t');
  const { producerId, producerEpoch } = await init(client, 5);
  const producer = { producerId, producerEpoch };
  assert.deepEqual(
    [await produce(client, producer, 'x', 0, 10), await produce(client, producer, 'x', 0, 11)],
    [48, 120],
  );
  assert.deepEqual([await commitOffset(client, 3, producer), await commitOffset(client, 4, producer)], [48, 120]);
});

test('while a transaction is being ended its producer hears what even old ones try again', async (t) => {
  const storage = new FaultyStorage();
  const { broker, client } = await startBroker(t, { storage, directory: '/data' });
  await broker.log.createTopic('t');
  const { producerId, producerEpoch } = await init(client, 5);
  const producer = { producerId, producerEpoch };
  assert.deepEqual(await add(client, 3, producer, [0]), [0]);
  await client.call(AddOffsetsToTxn, 3, { transactionalId, ...producer, groupId: 'g' });
  assert.equal(await produce(client, producer, 'x'), 0);
  storage.failWrite = (path) => path.includes('/t-0/');
  assert.equal(await end(client, 3, producer, true), 0);
  for (const version of [3, 11]) assert.equal(await produce(client, producer, 'y', 1, version), 19);
  assert.deepEqual([await commitOffset(client, 1, producer), await commitOffset(client, 4, producer)], [15, 14]);
});

test('a fenced producer is told so by the name that its version knows', async (t) => {
  const { broker, client } = await startBroker(t);
  await broker.log.createTopic('t');
  const old = await init(client, 5);
  const { producerId, producerEpoch } = old;
  await init(client, 5);
  const producer = { producerId, producerEpoch };
  for (const [version, code] of [
    [1, 47],
    [2, 90],
  ] as const) {
    assert.deepEqual(await add(client, version, producer, [0]), [code]);
    assert.equal(await end(client, version, producer, true), code);
    const added = await client.call(AddOffsetsToTxn, version, { transactionalId, ...producer, groupId: 'g' });
    assert.equal(added.errorCode, code);
  }
  assert.equal((await init(client, 3, producer)).errorCode, 47);
  assert.equal((await init(client, 4, producer)).errorCode, 90);
  assert.equal(await produce(client, producer, 'x'), 47);
});

test('partitions are added together or not at all, and brokers and clients may ask which are there', async (t) => {
  const { broker, client } = await startBroker(t);
  await broker.log.createTopic('t', { partitions: 2 });
  const { producerId, producerEpoch } = await init(client, 5);
  const producer = { producerId, producerEpoch };
  for (const version of [0, 3, 4, 5]) assert.deepEqual(await add(client, version, producer, [0, 7]), [55, 3]);
  assert.deepEqual(await add(client, 5, producer, [0]), [0]);
  assert.deepEqual(await add(client, 5, producer, [0, 1], true), [0, 120]);
  assert.deepEqual(await add(client, 5, { producerId, producerEpoch: 3 }, [0], true), [90]);
  assert.deepEqual(await add(client, 5, { producerId: 99, producerEpoch }, [0], true), [49]);
});

test('a producer that says 0 and 0 has nothing to go on from; half a pair is refused', async (t) => {
  const { client } = await startBroker(t);
  const zero = { producerId: 0, producerEpoch: 0 };
  const first = await init(client, 5, zero);
  const second = await init(client, 5, zero);
  assert.deepEqual([second.errorCode, second.producerId, second.producerEpoch], [0, first.producerId, 1]);
  const alone = await init(client, 5, zero, null);
  assert.deepEqual([alone.errorCode, alone.producerEpoch], [0, 0]);
  assert.notEqual(alone.producerId, first.producerId);
  assert.equal((await init(client, 5, { producerId: -1, producerEpoch: 0 })).errorCode, 42);
  assert.equal((await init(client, 5, { producerId: 5, producerEpoch: -1 })).errorCode, 42);
});

test('offsets of a consumer that is no longer in its group are refused', async (t) => {
  const { broker, client } = await startBroker(t);
  await broker.log.createTopic('t');
  const { producerId, producerEpoch } = await init(client, 5);
  const producer = { producerId, producerEpoch };
  await client.call(AddOffsetsToTxn, 3, { transactionalId, ...producer, groupId: 'g' });
  assert.equal(await commitOffset(client, 3, producer, 't', { generationId: 4, memberId: 'gone' }), 22);
  const unnamed = await client.call(AddOffsetsToTxn, 3, { transactionalId, ...producer, groupId: '' });
  assert.equal(unnamed.errorCode, 24);
  assert.equal(await commitOffset(client, 3, producer, 't', { groupId: '' }), 24);
});

test('operators see transactions and producers, and end what no coordinator knows of', async (t) => {
  const { broker, client } = await startBroker(t);
  await broker.log.createTopic('t');
  const { producerId, producerEpoch } = await init(client, 5);
  const producer = { producerId, producerEpoch };
  await add(client, 3, producer, [0]);
  await produce(client, producer, 'x');
  const listed = await client.call(ListTransactions, 1, { stateFilters: ['Ongoing', 'Odd'], producerIdFilters: [] });
  assert.deepEqual(listed.unknownStateFilters, ['Odd']);
  assert.deepEqual(listed.transactionStates, [{ transactionalId, producerId, transactionState: 'Ongoing' }]);
  const { transactionStates } = await client.call(DescribeTransactions, 0, {
    transactionalIds: [transactionalId, 'no'],
  });
  assert.deepEqual(
    transactionStates.map((one) => [one.errorCode, one.transactionState, one.producerId, one.topics]),
    [
      [0, 'Ongoing', producerId, [{ topic: 't', partitions: [0] }]],
      [105, '', 0, []],
    ],
  );
  const asked = { topics: [{ name: 't', partitionIndexes: [0, 3] }] };
  const [there, missing] = (await client.call(DescribeProducers, 0, asked)).topics[0]!.partitions;
  assert.equal(missing!.errorCode, 3);
  const { currentTxnStartOffset, coordinatorEpoch, ...active } = there!.activeProducers[0]!;
  assert.deepEqual([active.producerId, active.producerEpoch, active.lastSequence], [producerId, 0, 0]);
  assert.equal(currentTxnStartOffset, 0);
  const markers = [
    {
      ...producer,
      transactionResult: false,
      coordinatorEpoch: Math.max(coordinatorEpoch, 0),
      topics: [{ name: 't', partitionIndexes: [0, 3] }],
    },
  ];
  const written = await client.call(WriteTxnMarkers, 1, { markers });
  assert.deepEqual(
    written.markers[0]!.topics[0]!.partitions.map(({ errorCode }) => errorCode),
    [0, 3],
  );
  const [ended] = (await client.call(DescribeProducers, 0, asked)).topics[0]!.partitions;
  assert.equal(ended!.activeProducers[0]!.currentTxnStartOffset, -1);
});
