import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorNumber, type LogErrorCode } from '../errors.ts';
import {
  DeleteGroups,
  DescribeGroups,
  FindCoordinator,
  Heartbeat,
  JoinGroup,
  LeaveGroup,
  ListGroups,
  OffsetCommit,
  OffsetDelete,
  OffsetFetch,
  SyncGroup,
} from '../protocol/messages/groups.ts';
import { startBroker } from '../server/broker.fixture.ts';
import type { TestClient } from '../server/client.fixture.ts';

const settings = { 'group.initial.rebalance.delay.ms': 0 };
const groupId = 'g';
const subscription = Buffer.from([0, 0, 0, 0, 0, 1, 0, 1, 't'.charCodeAt(0), 0, 0, 0, 0]);
const protocols = [{ name: 'range', metadata: subscription }];

/** The number on the wire. */
const no = (code: LogErrorCode) => errorNumber(code);
type Versioned = Pick<typeof JoinGroup, 'versions'>;
const latest = (version: number, api: Versioned) => Math.min(version, api.versions[1]);

function versionsOf({ versions: [least, most] }: Versioned): number[] {
  return Array.from({ length: most - least + 1 }, (_, n) => least + n);
}

async function join(client: TestClient, version: number, memberId = '') {
  const request = {
    groupId,
    sessionTimeoutMs: 30_000,
    rebalanceTimeoutMs: 30_000,
    protocolType: 'consumer',
    protocols,
  };
  const first = await client.call(JoinGroup, version, { ...request, memberId });
  if (first.errorCode !== no('MEMBER_ID_REQUIRED')) return first;
  assert.ok(version >= 4);
  return client.call(JoinGroup, version, { ...request, memberId: first.memberId });
}

test('a member joins, is assigned, beats, and leaves, in every version', async (t) => {
  const { client } = await startBroker(t, { settings });
  for (const version of versionsOf(JoinGroup)) {
    const { errorCode, memberId, generationId, leader, protocolName, members } = await join(client, version);
    assert.deepEqual(
      [errorCode, leader, protocolName, members.length],
      [0, memberId, 'range', 1],
      `version ${version}`,
    );
    const identity = { groupId, memberId, generationId };
    const sync = await client.call(SyncGroup, latest(version, SyncGroup), {
      ...identity,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: [{ memberId, assignment: Buffer.from('mine') }],
    });
    assert.deepEqual([sync.errorCode, sync.assignment.toString()], [0, 'mine']);
    assert.equal((await client.call(Heartbeat, latest(version, Heartbeat), identity)).errorCode, 0);
    const stale = await client.call(Heartbeat, latest(version, Heartbeat), { ...identity, generationId: 99 });
    assert.equal(stale.errorCode, no('ILLEGAL_GENERATION'));

    const described = await client.call(DescribeGroups, latest(version, DescribeGroups), { groups: [groupId] });
    const [group] = described.groups;
    assert.deepEqual([group?.groupState, group?.protocolData, group?.errorCode], ['Stable', 'range', 0]);
    assert.equal(group?.members[0]?.clientHost, '/127.0.0.1');
    assert.deepEqual(group?.members[0]?.memberMetadata, subscription);
    assert.equal(group?.members[0]?.memberAssignment.toString(), 'mine');

    const leaving = latest(version, LeaveGroup);
    const left = await client.call(
      LeaveGroup,
      leaving,
      leaving < 3 ? { groupId, memberId } : { groupId, members: [{ memberId }, { memberId: 'stranger' }] },
    );
    assert.equal(left.errorCode, 0);
    if (leaving >= 3)
      assert.deepEqual(
        left.members.map((one) => one.errorCode),
        [0, no('UNKNOWN_MEMBER_ID')],
      );
    else {
      const again = await client.call(LeaveGroup, leaving, { groupId, memberId });
      assert.equal(again.errorCode, no('UNKNOWN_MEMBER_ID'));
    }
  }
});

test('a sync that does not name the protocol is refused from version 5 on, and joins outside the limits', async (t) => {
  const { client } = await startBroker(t, { settings });
  const { memberId, generationId } = await join(client, 9);
  const sync = await client.call(SyncGroup, 5, { groupId, memberId, generationId, assignments: [] });
  assert.equal(sync.errorCode, no('INCONSISTENT_GROUP_PROTOCOL'));
  const short = { groupId, sessionTimeoutMs: 1, memberId: '', protocolType: 'consumer', protocols };
  const { errorCode, protocolName } = await client.call(JoinGroup, 5, short);
  assert.deepEqual([errorCode, protocolName], [no('INVALID_SESSION_TIMEOUT'), '']);
});

test('the coordinator of groups and transactions is this broker, of anything else nobody', async (t) => {
  const { client, broker } = await startBroker(t, { settings });
  for (const version of versionsOf(FindCoordinator)) {
    for (const keyType of version === 0 ? [0] : [0, 1]) {
      const answer = await client.call(FindCoordinator, version, { key: 'a', keyType, coordinatorKeys: ['a', 'b'] });
      const found = version < 4 ? [answer] : answer.coordinators;
      assert.equal(found.length, version < 4 ? 1 : 2);
      for (const { host, port, errorCode } of found)
        assert.deepEqual([host, port, errorCode], [broker.host, broker.port, 0]);
    }
  }
  const share = await client.call(FindCoordinator, 6, { keyType: 2, coordinatorKeys: ['a:id:0'] });
  assert.equal(share.coordinators[0]?.errorCode, no('INVALID_REQUEST'));
  assert.equal((await client.call(FindCoordinator, 1, { key: 'a', keyType: 2 })).errorCode, no('INVALID_REQUEST'));
});

test('offsets are committed and fetched in every version, by name and by id', async (t) => {
  const { client, broker } = await startBroker(t, { settings });
  const { id } = await broker.log.createTopic('t', { partitions: 2 });
  for (const version of versionsOf(OffsetCommit)) {
    const partitions = [0, 7].map((partitionIndex) => ({
      partitionIndex,
      committedOffset: 100 + version,
      committedLeaderEpoch: 3,
      committedMetadata: 'm',
    }));
    const topics = [
      { name: 't', topicId: id, partitions },
      { name: 'missing', topicId: '00000000-0000-4000-8000-000000000009', partitions: partitions.slice(0, 1) },
    ];
    const committed = await client.call(OffsetCommit, version, { groupId, memberId: '', topics });
    assert.deepEqual(
      committed.topics.map((topic) => topic.partitions.map(({ errorCode }) => errorCode)),
      [[0, no('UNKNOWN_TOPIC_OR_PARTITION')], [no(version < 10 ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'UNKNOWN_TOPIC_ID')]],
    );
    const missing = await client.call(OffsetCommit, version, {
      groupId: 'nobody',
      memberId: 'm',
      generationIdOrMemberEpoch: 4,
      topics: [{ name: 't', topicId: id, partitions: partitions.slice(0, 1) }],
    });
    const expected = no(version < 9 ? 'ILLEGAL_GENERATION' : 'GROUP_ID_NOT_FOUND');
    assert.equal(missing.topics[0]?.partitions[0]?.errorCode, expected);
  }
  for (const version of versionsOf(OffsetFetch)) {
    const asked = [{ name: 't', topicId: id, partitionIndexes: [0, 1] }];
    for (const topics of version < 2 ? [asked] : [asked, null]) {
      const answer = await client.call(OffsetFetch, version, { groupId, topics, groups: [{ groupId, topics }] });
      const found = (version < 8 ? answer.topics : answer.groups[0]?.topics)?.[0];
      const rows = found?.partitions.map((one) => [
        one.partitionIndex,
        one.committedOffset,
        one.metadata,
        one.errorCode,
      ]);
      const first = [0, 110, 'm', 0];
      assert.deepEqual(rows, topics === null ? [first] : [first, [1, -1, '', 0]], `version ${version}`);
      if (version >= 5) assert.equal(found?.partitions[0]?.committedLeaderEpoch, 3);
      if (version >= 10) assert.deepEqual(answer.groups[0]?.topics[0]?.topicId, id);
    }
  }
  assert.deepEqual([...broker.log.committedOffsets(groupId, 't')], [[0, 110]]);
});

test('groups are listed, described as dead when missing, and deleted with their offsets', async (t) => {
  const { client, broker } = await startBroker(t, { settings });
  await broker.log.createTopic('t');
  await broker.log.commitOffsets('simple', 't', new Map([[0, 1]]));
  await join(client, 9);
  for (const version of versionsOf(ListGroups)) {
    const { groups } = await client.call(ListGroups, version, {});
    const names = groups.map((one) => [one.groupId, one.protocolType]).sort();
    assert.deepEqual(names, [
      ['g', 'consumer'],
      ['simple', ''],
    ]);
  }
  const empty = await client.call(ListGroups, 5, { statesFilter: ['Empty'], typesFilter: ['classic'] });
  assert.deepEqual(
    empty.groups.map((one) => [one.groupId, one.groupState, one.groupType]),
    [['simple', 'Empty', 'classic']],
  );
  for (const version of versionsOf(DescribeGroups)) {
    const { groups } = await client.call(DescribeGroups, version, { groups: ['nobody'] });
    const expected = ['Dead', version < 6 ? 0 : no('GROUP_ID_NOT_FOUND')];
    assert.deepEqual([groups[0]?.groupState, groups[0]?.errorCode], expected);
  }
  const topics = [
    { name: 't', partitions: [{ partitionIndex: 0 }] },
    { name: 'x', partitions: [{ partitionIndex: 0 }] },
  ];
  const own = await client.call(OffsetDelete, 0, { groupId, topics });
  assert.deepEqual(
    own.topics.map((topic) => topic.partitions[0]?.errorCode),
    [no('GROUP_SUBSCRIBED_TO_TOPIC'), no('UNKNOWN_TOPIC_OR_PARTITION')],
  );
  assert.equal((await client.call(OffsetDelete, 0, { groupId: 'nobody', topics })).errorCode, no('GROUP_ID_NOT_FOUND'));
  assert.equal((await client.call(OffsetDelete, 0, { groupId: '', topics })).errorCode, no('INVALID_GROUP_ID'));
  for (const version of versionsOf(DeleteGroups)) {
    await broker.log.commitOffsets('simple', 't', new Map([[0, 1]]));
    const { results } = await client.call(DeleteGroups, version, { groupsNames: ['g', 'simple', 'nobody'] });
    assert.deepEqual(
      results.map(({ errorCode }) => errorCode),
      [no('NON_EMPTY_GROUP'), 0, no('GROUP_ID_NOT_FOUND')],
    );
    assert.deepEqual([...broker.log.committedOffsets('simple', 't')], []);
  }
});

test('the greatest numbers that a client can send are kept as they are', async (t) => {
  const { client, broker } = await startBroker(t, { settings });
  await broker.log.createTopic('t');
  const partitions = [{ partitionIndex: 0, committedOffset: 2 ** 63, committedMetadata: '' }];
  const request = { groupId, generationIdOrMemberEpoch: -1, memberId: '', topics: [{ name: 't', partitions }] };
  const committed = await client.call(OffsetCommit, 3, { ...request, retentionTimeMs: 2 ** 63 });
  assert.equal(committed.topics[0]!.partitions[0]!.errorCode, 0);
  const fetched = await client.call(OffsetFetch, 5, { groupId, topics: [{ name: 't', partitionIndexes: [0] }] });
  assert.equal(fetched.topics[0]!.partitions[0]!.committedOffset, 2 ** 63);
});
