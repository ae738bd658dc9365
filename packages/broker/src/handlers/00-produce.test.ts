import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { HEADER_BYTES, setChecksum } from '../log/record-batch.ts';
import { Produce } from '../protocol/messages/records.ts';
import { batchOf, startBroker } from '../server/broker.fixture.ts';

const to = (index: number, records: Buffer | null, name = 't') => ({ name, partitionData: [{ index, records }] });

test('each partition has its own answer: one that is refused does not hold back the others', async (t) => {
  const { client, broker } = await startBroker(t);
  await broker.log.createTopic('t', { partitions: 2 });
  const damaged = batchOf(['x']);
  damaged[65]! ^= 1;
  const topicData = [
    {
      name: 't',
      partitionData: [
        { index: 0, records: damaged },
        { index: 1, records: batchOf(['y']) },
        { index: 2, records: batchOf(['z']) },
      ],
    },
    to(0, batchOf(['a']), 'other'),
    to(0, null),
  ];
  const { responses } = await client.call(Produce, 9, { acks: -1, timeoutMs: 1000, topicData });
  const answers = responses.flatMap(({ partitionResponses }) => partitionResponses);
  assert.deepEqual(
    answers.map(({ errorCode, baseOffset }) => [errorCode, baseOffset]),
    [
      [2, -1],
      [0, 0],
      [3, -1],
      [3, -1],
      [87, -1],
    ],
  );
  assert.match(answers[0]!.errorMessage!, /checksum/);
  assert.deepEqual(broker.log.offsets('t', 1), { earliest: 0, latest: 1 });
});

test('a producer to a compacted topic hears which records of its batch have no key', async (t) => {
  const { client, broker } = await startBroker(t);
  await broker.log.createTopic('t', { config: { 'cleanup.policy': 'compact' } });
  const records = batchOf([['k', '1'], '2', ['l', '3'], '4']);
  const { responses } = await client.call(Produce, 9, { acks: -1, timeoutMs: 1000, topicData: [to(0, records)] });
  const { errorCode, recordErrors } = responses[0]!.partitionResponses[0]!;
  assert.equal(errorCode, 87);
  assert.deepEqual(
    recordErrors.map(({ batchIndex }) => batchIndex),
    [1, 3],
  );
});

test("the broker's own topics are refused for good, and not as if they might come", async (t) => {
  const { client } = await startBroker(t);
  const topicData = ['__consumer_offsets', '__transaction_state'].map((name) => to(0, batchOf(['a']), name));
  const { responses } = await client.call(Produce, 9, { acks: -1, timeoutMs: 1000, topicData });
  assert.deepEqual(
    responses.map(({ partitionResponses }) => partitionResponses[0]!.errorCode),
    [17, 17],
  );
});

test('acks other than all, 1 and 0 are refused', async (t) => {
  const { client, broker } = await startBroker(t);
  await broker.log.createTopic('t');
  const { responses } = await client.call(Produce, 9, { acks: 2, timeoutMs: 1000, topicData: [to(0, batchOf(['a']))] });
  assert.equal(responses[0]!.partitionResponses[0]!.errorCode, 21);
  assert.equal(broker.log.offsets('t', 0).latest, 0);
});

test('acks=0 is not answered; a batch that is refused ends the connection, which tells the producer', async (t) => {
  const { client, broker, remarks } = await startBroker(t);
  await broker.log.createTopic('t');
  client.tell(Produce, 9, { acks: 0, timeoutMs: 1000, topicData: [to(0, batchOf(['a']))] });
  const { responses } = await client.call(Produce, 9, { acks: 1, timeoutMs: 1000, topicData: [to(0, batchOf(['b']))] });
  assert.equal(responses[0]!.partitionResponses[0]!.baseOffset, 1);
  client.tell(Produce, 9, { acks: 0, timeoutMs: 1000, topicData: [to(5, batchOf(['c']))] });
  await client.closed;
  assert.match(remarks[0]!, /acks=0 to t-5 failed/);
});

test('a batch that is sent again is answered with its first offset and is not there twice', async (t) => {
  const { client, broker } = await startBroker(t);
  await broker.log.createTopic('t');
  const send = async (baseSequence: number) => {
    const records = batchOf(['a', 'b'], { producerId: 5, producerEpoch: 0, baseSequence });
    const { responses } = await client.call(Produce, 9, { acks: -1, timeoutMs: 1000, topicData: [to(0, records)] });
    const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!;
    return [errorCode, baseOffset];
  };
  assert.deepEqual(await send(0), [0, 0]);
  assert.deepEqual(await send(2), [0, 2]);
  assert.deepEqual(await send(0), [0, 0]);
  assert.deepEqual(await send(6), [45, -1]);
  assert.equal(broker.log.offsets('t', 0).latest, 4);
});

test('acks=0 is not answered, whatever is wrong with the request as a whole', async (t) => {
  const { client, broker, remarks } = await startBroker(t);
  await broker.log.createTopic('t');
  const records = batchOf(['a'], { producerId: 5, producerEpoch: 0, baseSequence: 0, attributes: 0x10 });
  const answered = client.call(Produce, 9, { acks: 0, timeoutMs: 1000, topicData: [to(0, records)] });
  await assert.rejects(answered, /the connection is closed/);
  assert.match(remarks[0]!, /acks=0 failed: a transactional batch came/);
});

test('a transactional batch needs a transaction that its coordinator knows', async (t) => {
  const { client, broker } = await startBroker(t);
  await broker.log.createTopic('t');
  const records = batchOf(['a'], { producerId: 5, producerEpoch: 0, baseSequence: 0, attributes: 0x10 });
  const send = async (transactionalId: string | null) => {
    const topicData = [to(1, batchOf(['b'])), to(0, records)];
    const { responses } = await client.call(Produce, 9, { transactionalId, acks: -1, timeoutMs: 1000, topicData });
    return responses.map(({ partitionResponses }) => partitionResponses[0]!.errorCode);
  };
  assert.deepEqual(await send(null), [53, 53], 'as a whole, when it names no transaction');
  assert.deepEqual(await send('nobody'), [3, 49]);
  assert.equal(broker.log.offsets('t', 0).latest, 0);
});

test('zstd is for versions that know it', async (t) => {
  const { client, broker } = await startBroker(t);
  await broker.log.createTopic('t');
  const plain = batchOf(['a'], { attributes: 4 });
  const records = Buffer.concat([plain.subarray(0, HEADER_BYTES), zstdCompressSync(plain.subarray(HEADER_BYTES))]);
  records.writeInt32BE(records.length - 12, 8);
  setChecksum(records);
  const send = async (version: number) => {
    const { responses } = await client.call(Produce, version, {
      acks: 1,
      timeoutMs: 1000,
      topicData: [to(0, records)],
    });
    return responses[0]!.partitionResponses[0]!.errorCode;
  };
  assert.deepEqual([await send(6), await send(7)], [76, 0]);
});
