import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ListOffsets, Produce } from '../protocol/messages/records.ts';
import { batchOf, startBroker } from '../server/broker.fixture.ts';

test('each version knows the offsets by name that it has, and no others', async (t) => {
  const { client, broker } = await startBroker(t);
  await broker.log.createTopic('t');
  const topicData = [{ name: 't', partitionData: [{ index: 0, records: batchOf(['a', 'b'], undefined, 5_000) }] }];
  await client.call(Produce, 9, { acks: -1, timeoutMs: 1000, topicData });
  const ask = async (version: number, ...timestamps: number[]) => {
    const topics = timestamps.map((timestamp) => ({ name: 't', partitions: [{ partitionIndex: 0, timestamp }] }));
    const answer = await client.call(ListOffsets, version, { replicaId: -1, isolationLevel: 0, topics });
    return answer.topics.map(({ partitions: [one] }) => [one!.errorCode, one!.offset]);
  };
  for (const [version, timestamp, ...expected] of [
    [1, -1, 0, 2],
    [1, -2, 0, 0],
    [1, 5_000, 0, 0],
    [1, 5_001, 0, -1],
    [6, -3, 35, -1],
    [7, -3, 0, 0],
    [7, -4, 35, -1],
    [8, -4, 0, 0],
    [8, -5, 35, -1],
    [9, -5, 0, -1],
    [10, -6, 35, -1],
    [11, -6, 0, -1],
    [11, -7, 35, -1],
  ] as const) {
    assert.deepEqual(await ask(version, timestamp), [expected], `${timestamp} in version ${version}`);
  }
  assert.deepEqual(
    await ask(11, -1, -2),
    [
      [42, -1],
      [42, -1],
    ],
    'a partition can be asked for once',
  );
});
