import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogError, type LogErrorCode } from '../errors.ts';
import {
  GROUP,
  identity,
  joinRequest,
  Outcome,
  openBench,
  REBALANCE,
  SESSION,
  settle,
  stableGroup,
  subscription,
  syncRequest,
} from './groups.fixture.ts';
import type { JoinResult } from './requests.ts';

function refusedWith(code: LogErrorCode) {
  return (error: unknown) => {
    assert.ok(error instanceof LogError);
    assert.equal(error.code, code);
    return true;
  };
}

test('members that start together share one generation with one leader, who alone learns of all', async () => {
  const { groups, clock } = await openBench();
  const joins: Promise<JoinResult>[] = [];
  for (let n = 0; n < 4; n++) {
    joins.push(groups.join(joinRequest({ clientId: `c${n}` })));
    await settle();
    clock.advance(60);
  }
  clock.advance(200);
  const joined = await Promise.all(joins);
  assert.deepEqual(
    joined.map(({ generationId, error }) => ({ generationId, error })),
    Array(4).fill({ generationId: 1, error: undefined }),
  );
  const [leader, ...others] = joined.sort((a, b) => b.members.length - a.members.length);
  assert.deepEqual(leader?.members.map(({ memberId }) => memberId).sort(), joined.map((one) => one.memberId).sort());
  for (const other of others) {
    assert.equal(other.leader, leader?.memberId);
    assert.deepEqual(other.members, []);
  }
});

test('a single member waits for the initial delay and no longer', async () => {
  const { groups, clock } = await openBench({ 'group.initial.rebalance.delay.ms': 100 });
  const join = new Outcome(groups.join(joinRequest()));
  clock.advance(99);
  await settle();
  assert.equal(join.done, false);
  clock.advance(1);
  await settle();
  assert.equal(join.value?.generationId, 1);
});

test('a newcomer is given an id first, and is a member only with it', async () => {
  const { groups, clock } = await openBench();
  const first = await groups.join(joinRequest({ requireKnownMemberId: true, clientId: 'app' }));
  assert.equal(first.error, 'MEMBER_ID_REQUIRED');
  assert.match(first.memberId, /^app-[0-9a-f]{8}-[0-9a-f]{4}-4/);
  assert.deepEqual(groups.describe(GROUP)?.members, []);
  const again = groups.join(joinRequest({ requireKnownMemberId: true, memberId: first.memberId }));
  clock.advance(1000);
  assert.equal((await again).memberId, first.memberId);
  assert.equal((await groups.join(joinRequest({ memberId: 'somebody' }))).error, 'UNKNOWN_MEMBER_ID');
});

test('an id that nobody comes back with holds a rebalance up for one session at most', async () => {
  const bench = await openBench();
  const { groups, clock } = bench;
  const { joined } = await stableGroup(bench, 1);
  await groups.join(joinRequest({ requireKnownMemberId: true }));
  const rejoin = new Outcome(groups.join(joinRequest({ memberId: joined[0]?.memberId ?? '' })));
  await settle();
  assert.equal(rejoin.done, false, 'the newcomer is waited for');
  clock.advance(SESSION);
  await settle();
  assert.equal(rejoin.value?.generationId, 2);
});

test('assignments are handed out when the leader has brought them, to each its own', async () => {
  const bench = await openBench();
  const { groups, clock } = bench;
  const joins = [groups.join(joinRequest()), groups.join(joinRequest())];
  clock.advance(1000);
  const joined = await Promise.all(joins);
  const leader = joined.find(({ memberId, leader: id }) => memberId === id);
  const follower = joined.find((one) => one !== leader);
  assert.ok(leader && follower);
  const early = new Outcome(groups.sync(syncRequest(follower)));
  await settle();
  assert.equal(early.done, false);
  const own = await groups.sync(syncRequest(leader));
  await settle();
  assert.equal(own.assignment.toString(), leader.memberId);
  assert.equal(early.value?.assignment.toString(), follower.memberId);
  assert.equal(early.value?.protocolName, 'range');
  const late = await groups.sync(syncRequest(follower));
  assert.equal(late.assignment.toString(), follower.memberId, 'asked again, it is told again');
  assert.equal(groups.describe(GROUP)?.state, 'Stable');
});

test('the protocol that all have and most prefer is taken; who has none of them stays outside', async () => {
  const { groups, clock } = await openBench();
  const protocols = (...names: string[]) => names.map((name) => ({ name, metadata: Buffer.from(name) }));
  const joins = [
    groups.join(joinRequest({ protocols: protocols('range', 'sticky', 'own') })),
    groups.join(joinRequest({ protocols: protocols('sticky', 'range') })),
    groups.join(joinRequest({ protocols: protocols('sticky', 'range') })),
  ];
  const refused = async (changes: Parameters<typeof joinRequest>[0]) => (await groups.join(joinRequest(changes))).error;
  assert.equal(await refused({ protocols: protocols('own') }), 'INCONSISTENT_GROUP_PROTOCOL');
  assert.equal(await refused({ protocolType: 'connect' }), 'INCONSISTENT_GROUP_PROTOCOL');
  assert.equal(await refused({ group: 'new', protocols: [] }), 'INCONSISTENT_GROUP_PROTOCOL');
  clock.advance(1000);
  for (const { protocolName, members } of await Promise.all(joins)) {
    assert.equal(protocolName, 'sticky');
    for (const { metadata } of members) assert.equal(metadata.toString(), 'sticky');
  }
});

test('a joining member makes the others join again, and a rebalance waits for the slowest no longer than it asked', async () => {
  const bench = await openBench();
  const { groups, clock } = bench;
  const { joined } = await stableGroup(bench, 2);
  const [leader, silent] = joined;
  assert.ok(leader && silent);
  const newcomer = new Outcome(groups.join(joinRequest()));
  assert.throws(() => groups.heartbeat(identity(leader)), refusedWith('REBALANCE_IN_PROGRESS'));
  await assert.rejects(groups.sync(syncRequest(leader)), refusedWith('REBALANCE_IN_PROGRESS'));
  const again = new Outcome(groups.join(joinRequest({ memberId: leader.memberId })));
  for (let waited = 0; waited < REBALANCE; waited += 5000) {
    await settle();
    assert.equal(newcomer.done, false);
    assert.throws(() => groups.heartbeat(identity(silent)), refusedWith('REBALANCE_IN_PROGRESS'));
    clock.advance(5000);
  }
  await settle();
  assert.equal(newcomer.value?.generationId, 2);
  assert.equal(again.value?.members.length, 2, 'without the one that did not come');
  assert.throws(() => groups.heartbeat(identity(silent)), refusedWith('UNKNOWN_MEMBER_ID'));
  assert.throws(() => groups.heartbeat(identity(leader)), refusedWith('ILLEGAL_GENERATION'));
});

test('a member that falls silent is gone after its session, and heartbeats keep the others', async () => {
  const bench = await openBench();
  const { groups, clock } = bench;
  const { joined } = await stableGroup(bench, 2);
  const [alive, dead] = joined;
  assert.ok(alive && dead);
  clock.advance(SESSION - 1);
  groups.heartbeat(identity(alive));
  clock.advance(1);
  assert.throws(() => groups.heartbeat(identity(dead)), refusedWith('UNKNOWN_MEMBER_ID'));
  assert.throws(() => groups.heartbeat(identity(alive)), refusedWith('REBALANCE_IN_PROGRESS'));
  const again = await groups.join(joinRequest({ memberId: alive.memberId }));
  assert.deepEqual([again.generationId, again.leader, again.members.length], [2, alive.memberId, 1]);
});

test('a member that does not ask for its assignment is put out, and the rest go on', async () => {
  const { groups, clock } = await openBench();
  const joins = [groups.join(joinRequest()), groups.join(joinRequest({ sessionTimeoutMs: 1_800_000 }))];
  clock.advance(1000);
  const [leader, lazy] = await Promise.all(joins);
  assert.ok(leader && lazy);
  await groups.sync(syncRequest(leader));
  for (let n = 0; n < REBALANCE; n += 5000) {
    groups.heartbeat(identity(leader));
    clock.advance(5000);
  }
  assert.throws(() => groups.heartbeat(identity(leader)), refusedWith('REBALANCE_IN_PROGRESS'));
  assert.throws(() => groups.heartbeat(identity(lazy)), refusedWith('UNKNOWN_MEMBER_ID'));
});

test('a leader that dies before it assigns is replaced, and those who wait are sent to join again', async () => {
  const { groups, clock } = await openBench();
  const joins = [groups.join(joinRequest()), groups.join(joinRequest())];
  clock.advance(1000);
  const [leader, follower] = await Promise.all(joins);
  assert.ok(leader && follower);
  const waiting = new Outcome(groups.sync(syncRequest(follower)));
  clock.advance(SESSION);
  await settle();
  assert.ok(refusedWith('REBALANCE_IN_PROGRESS')(waiting.error));
  const again = await groups.join(joinRequest({ memberId: follower.memberId }));
  assert.deepEqual([again.generationId, again.leader], [2, follower.memberId]);
});

test('an assignment that becomes durable after the group went on is not handed out', async () => {
  const { groups, clock } = await openBench();
  const join = groups.join(joinRequest());
  clock.advance(1000);
  const joined = await join;
  const syncing = new Outcome(groups.sync(syncRequest(joined)));
  const newcomer = new Outcome(groups.join(joinRequest()));
  await settle();
  assert.ok(refusedWith('REBALANCE_IN_PROGRESS')(syncing.error));
  assert.equal(groups.describe(GROUP)?.state, 'PreparingRebalance');
  const again = await groups.join(joinRequest({ memberId: joined.memberId }));
  await settle();
  assert.deepEqual([again.generationId, newcomer.value?.generationId], [2, 2]);
});

test('a newcomer that goes away with the id it was given is waited for no longer', async () => {
  const bench = await openBench();
  const { groups } = bench;
  const { joined } = await stableGroup(bench, 1);
  const { memberId } = await groups.join(joinRequest({ requireKnownMemberId: true }));
  const again = new Outcome(groups.join(joinRequest({ memberId: joined[0]?.memberId ?? '' })));
  await settle();
  assert.equal(again.done, false);
  assert.deepEqual(groups.leave(GROUP, [{ memberId, groupInstanceId: null }]), [{ memberId, groupInstanceId: null }]);
  await settle();
  assert.equal(again.value?.generationId, 2);
});

test('who leaves is gone at once; when the last does, the group is empty', async () => {
  const bench = await openBench();
  const { groups } = bench;
  const { joined } = await stableGroup(bench, 2);
  const [leader, other] = joined;
  assert.ok(leader && other);
  const waiting = new Outcome(groups.join(joinRequest({ memberId: leader.memberId })));
  assert.deepEqual(
    groups.leave(GROUP, [
      { memberId: other.memberId, groupInstanceId: null },
      { memberId: 'stranger', groupInstanceId: null },
    ]),
    [
      { memberId: other.memberId, groupInstanceId: null },
      { memberId: 'stranger', groupInstanceId: null, error: 'UNKNOWN_MEMBER_ID' },
    ],
  );
  await settle();
  assert.equal(waiting.value?.generationId, 2);
  groups.leave(GROUP, [{ memberId: leader.memberId, groupInstanceId: null }]);
  assert.equal(groups.describe(GROUP)?.state, 'Empty');
  assert.throws(() => groups.heartbeat(identity(leader)), refusedWith('UNKNOWN_MEMBER_ID'));
});

test('a member that missed an answer is told again without a rebalance; the leader may ask for one', async () => {
  const bench = await openBench();
  const { groups } = bench;
  const { joined } = await stableGroup(bench, 2);
  const [leader, follower] = joined;
  assert.ok(leader && follower);
  const told = await groups.join(joinRequest({ memberId: follower.memberId }));
  assert.deepEqual([told.generationId, told.leader, told.members], [1, leader.memberId, []]);
  groups.heartbeat(identity(follower));
  const asked = new Outcome(groups.join(joinRequest({ memberId: leader.memberId })));
  assert.throws(() => groups.heartbeat(identity(follower)), refusedWith('REBALANCE_IN_PROGRESS'));
  const changed = [{ name: 'range', metadata: subscription(['other']) }];
  await groups.join(joinRequest({ memberId: follower.memberId, protocols: changed }));
  await settle();
  assert.equal(asked.value?.generationId, 2);
});

test('a join that is sent twice does not leave the first waiting', async () => {
  const bench = await openBench();
  const { groups } = bench;
  const { joined } = await stableGroup(bench, 2);
  const [leader] = joined;
  assert.ok(leader);
  const first = new Outcome(groups.join(joinRequest({ memberId: leader.memberId })));
  const second = new Outcome(groups.join(joinRequest({ memberId: leader.memberId })));
  await settle();
  assert.equal(first.value?.error, 'REBALANCE_IN_PROGRESS');
  assert.equal(second.done, false);
});

test('session time-outs outside the limits, nameless groups and members beyond the limit are refused', async () => {
  const bench = await openBench({ 'group.max.size': 2 });
  const { groups } = bench;
  const refused = async (changes: Parameters<typeof joinRequest>[0]) => (await groups.join(joinRequest(changes))).error;
  assert.equal(await refused({ sessionTimeoutMs: 5_999 }), 'INVALID_SESSION_TIMEOUT');
  assert.equal(await refused({ sessionTimeoutMs: 1_800_001 }), 'INVALID_SESSION_TIMEOUT');
  assert.equal(await refused({ group: '' }), 'INVALID_GROUP_ID');
  const { joined } = await stableGroup(bench, 2);
  assert.equal(await refused({}), 'GROUP_MAX_SIZE_REACHED');
  assert.equal((await groups.join(joinRequest({ memberId: joined[1]?.memberId ?? '' }))).error, undefined);
});

test('a broker that stops sends everybody who waits to look for a coordinator', async () => {
  const bench = await openBench();
  const { groups, clock } = bench;
  const { joined } = await stableGroup(bench, 1);
  const waitingJoin = new Outcome(groups.join(joinRequest({ group: 'other' })));
  const follower = groups.join(joinRequest());
  const leader = groups.join(joinRequest({ memberId: joined[0]?.memberId ?? '' }));
  const [ofFollower] = await Promise.all([follower, leader]);
  const waitingSync = new Outcome(groups.sync(syncRequest(ofFollower)));
  groups.close();
  await settle();
  assert.equal(waitingJoin.value?.error, 'NOT_COORDINATOR');
  assert.ok(refusedWith('NOT_COORDINATOR')(waitingSync.error));
  assert.equal((await groups.join(joinRequest())).error, 'COORDINATOR_NOT_AVAILABLE');
  assert.throws(() => groups.heartbeat(identity(ofFollower)), refusedWith('COORDINATOR_NOT_AVAILABLE'));
  clock.advance(1_000_000);
});

test('an assignment that cannot be written is not handed out', async () => {
  const bench = await openBench();
  const { groups, clock, storage } = bench;
  const join = groups.join(joinRequest());
  clock.advance(1000);
  const joined = await join;
  storage.failWrite = (path) => path.includes('__consumer_offsets');
  await assert.rejects(groups.sync(syncRequest(joined)), refusedWith('NOT_COORDINATOR'));
  storage.failWrite = () => false;
  const again = await groups.join(joinRequest({ memberId: joined.memberId }));
  assert.equal(again.generationId, 2);
  assert.equal((await groups.sync(syncRequest(again))).assignment.toString(), joined.memberId);
});

test('groups are listed by state and type, and deleted when nobody is in them', async () => {
  const bench = await openBench();
  const { groups, log } = bench;
  await log.createTopic('events', { partitions: 1 });
  const { joined } = await stableGroup(bench, 1);
  await log.commitOffsets('simple', 'events', new Map([[0, 3]]));
  const names = (states: string[], types: string[]) => groups.list(states, types).map(({ group }) => group);
  assert.deepEqual(names([], []), [GROUP, 'simple']);
  assert.deepEqual(names(['stable'], ['Classic']), [GROUP]);
  assert.deepEqual(names(['EMPTY'], []), ['simple']);
  assert.deepEqual(names([], ['consumer']), []);
  await assert.rejects(groups.delete(GROUP), refusedWith('NON_EMPTY_GROUP'));
  await assert.rejects(groups.delete('nobody'), refusedWith('GROUP_ID_NOT_FOUND'));
  await groups.delete('simple');
  groups.leave(GROUP, [{ memberId: joined[0]?.memberId ?? '', groupInstanceId: null }]);
  await groups.delete(GROUP);
  assert.deepEqual(names([], []), []);
  assert.deepEqual([...log.committedOffsets('simple', 'events')], []);
});
