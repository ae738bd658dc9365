import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DescribeCluster, DescribeTopicPartitions, Metadata } from '../protocol/messages/cluster.ts';
import { DescribeGroups } from '../protocol/messages/groups.ts';
import { startBroker } from '../server/broker.fixture.ts';

const NOT_ASKED = -0x80000000;

/** Numbers of Kafka's AclOperation, which the bits stand for. */
const numbers = (bits: number) => Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => (bits >>> bit) & 1);

test('a client that asks what it may do hears everything, and one that does not ask hears nothing', async (t) => {
  const { client, broker } = await startBroker(t);
  await broker.log.createTopic('t');
  const asked = { includeClusterAuthorizedOperations: true, includeTopicAuthorizedOperations: true };
  const all = await client.call(Metadata, 8, { topics: null, ...asked });
  assert.deepEqual(numbers(all.clusterAuthorizedOperations), [5, 7, 8, 9, 10, 11, 12]);
  assert.deepEqual(numbers(all.topics[0]!.topicAuthorizedOperations), [3, 4, 5, 6, 7, 8, 10, 11]);
  const none = await client.call(Metadata, 8, { topics: null });
  assert.deepEqual(
    [none.clusterAuthorizedOperations, none.topics[0]!.topicAuthorizedOperations],
    [NOT_ASKED, NOT_ASKED],
  );
  const cluster = await client.call(DescribeCluster, 0, { includeClusterAuthorizedOperations: true });
  assert.deepEqual(numbers(cluster.clusterAuthorizedOperations), [5, 7, 8, 9, 10, 11, 12]);
  const unasked = await client.call(DescribeCluster, 0, { includeClusterAuthorizedOperations: false });
  assert.equal(unasked.clusterAuthorizedOperations, NOT_ASKED);
  const { topics } = await client.call(DescribeTopicPartitions, 0, {
    topics: [],
    responsePartitionLimit: 10,
    cursor: null,
  });
  assert.equal(topics[0]!.topicAuthorizedOperations, all.topics[0]!.topicAuthorizedOperations);
  const { groups } = await client.call(DescribeGroups, 5, { groups: ['g'], includeAuthorizedOperations: true });
  assert.deepEqual(numbers(groups[0]!.authorizedOperations), [3, 6, 8, 10, 11]);
});
