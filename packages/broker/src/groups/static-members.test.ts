import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogError, type LogErrorCode } from '../errors.ts';
import {
  closeBench,
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

function refusedWith(code: LogErrorCode) {
  return (error: unknown) => error instanceof LogError && error.code === code;
}

const instance = (n: number) => ({ groupInstanceId: `pod-${n}` });

/** Two static members, by instance: the leader and the other. */
async function twoPods(settings: Parameters<typeof openBench>[0] = {}) {
  const bench = await openBench(settings);
  const { joined } = await stableGroup(bench, 2, instance);
  const [leader, follower] = joined;
  assert.ok(leader && follower);
  const podOf = (memberId: string) => memberId.slice(0, 5);
  return { ...bench, leader, follower, leaderPod: podOf(leader.memberId), followerPod: podOf(follower.memberId) };
}

test('a static member that restarts takes its assignment up again, without a rebalance', async () => {
  const { groups, leader, follower, followerPod } = await twoPods();
  const back = await groups.join(joinRequest({ groupInstanceId: followerPod }));
  assert.deepEqual([back.error, back.generationId, back.leader], [undefined, 1, leader.memberId]);
  assert.notEqual(back.memberId, follower.memberId);
  const { assignment } = await groups.sync(syncRequest(back, followerPod));
  assert.equal(assignment.toString(), follower.memberId, 'the old one, made for the same instance');
  groups.heartbeat(identity(leader));
  assert.throws(() => groups.heartbeat(identity(follower, followerPod)), refusedWith('FENCED_INSTANCE_ID'));
  assert.throws(() => groups.heartbeat(identity(follower)), refusedWith('UNKNOWN_MEMBER_ID'));
  assert.equal((await groups.join(joinRequest({ ...identity(follower, followerPod) }))).error, 'FENCED_INSTANCE_ID');
});

test('a leader that restarts learns the members but may skip assigning, if it knows how to', async () => {
  const { groups, leader, leaderPod } = await twoPods();
  const back = await groups.join(joinRequest({ groupInstanceId: leaderPod }));
  assert.deepEqual([back.skipAssignment, back.leader, back.members.length], [true, back.memberId, 2]);
  const old = await groups.join(joinRequest({ groupInstanceId: leaderPod, canSkipAssignment: false }));
  assert.deepEqual([old.skipAssignment, old.leader, old.members], [false, back.memberId, []]);
  assert.notEqual(old.memberId, back.memberId);
  assert.equal(old.generationId, leader.generationId);
});

test('a static member that comes back with another subscription that keeps the protocol keeps the generation', async () => {
  const { groups, followerPod, leader } = await twoPods();
  const protocols = [{ name: 'range', metadata: subscription(['events', 'more']) }];
  const back = await groups.join(joinRequest({ groupInstanceId: followerPod, protocols }));
  assert.equal(back.generationId, 1);
  groups.heartbeat(identity(leader));
});

test('a static member that would change the protocol makes a new generation', async () => {
  const bench = await openBench();
  const { groups } = bench;
  const named = (...names: string[]) => names.map((name) => ({ name, metadata: Buffer.from(name) }));
  const { joined } = await stableGroup(bench, 1, (n) => ({ ...instance(n), protocols: named('range', 'sticky') }));
  assert.equal(joined[0]?.protocolName, 'range');
  const back = await groups.join(joinRequest({ ...instance(0), protocols: named('sticky') }));
  assert.deepEqual([back.generationId, back.protocolName], [2, 'sticky']);
});

test('two processes with one instance id: the later one stays, the earlier is fenced wherever it waits', async () => {
  const { groups, clock } = await openBench();
  const earlier = new Outcome(groups.join(joinRequest(instance(1))));
  await settle();
  const later = groups.join(joinRequest(instance(1)));
  await settle();
  assert.equal(earlier.value?.error, 'FENCED_INSTANCE_ID');
  clock.advance(1000);
  const joined = await later;
  assert.equal(joined.members.length, 1);
  assert.match(joined.memberId, /^pod-1-/);
  groups.heartbeat(identity(joined, 'pod-1'));
});

test('a static member that is away keeps its place for its session, also through a rebalance', async () => {
  const { groups, clock, leader, leaderPod, followerPod } = await twoPods();
  const again = new Outcome(groups.join(joinRequest({ memberId: leader.memberId, groupInstanceId: leaderPod })));
  await settle();
  assert.equal(again.done, false, 'the other is waited for');
  const back = groups.join(joinRequest({ groupInstanceId: followerPod }));
  await settle();
  assert.equal(again.value?.members.length, 2);
  assert.equal((await back).generationId, 2);
  clock.advance(SESSION);
  assert.equal(groups.describe(GROUP)?.members.length, 0, 'and no longer');
});

test('a rebalance that a static member misses ends after its time-out, with the member still in it', async () => {
  const bench = await openBench();
  const { groups, clock } = bench;
  const slow = (n: number) => ({ ...instance(n), sessionTimeoutMs: n === 1 ? REBALANCE * 4 : SESSION });
  const joins = [groups.join(joinRequest(slow(0))), groups.join(joinRequest(slow(1)))];
  clock.advance(1000);
  const [leader] = await Promise.all(joins);
  assert.ok(leader);
  await groups.sync(syncRequest(leader, 'pod-0'));
  const again = new Outcome(groups.join(joinRequest({ ...slow(0), memberId: leader.memberId })));
  clock.advance(REBALANCE);
  await settle();
  assert.equal(again.value?.members.length, 2);
});

test('a leader that misses a rebalance leads no longer, also if it keeps its place', async () => {
  const bench = await openBench();
  const { groups, clock } = bench;
  const long = (n: number) => ({ ...instance(n), sessionTimeoutMs: REBALANCE * 4 });
  const joins = [groups.join(joinRequest(long(0))), groups.join(joinRequest(long(1)))];
  clock.advance(1000);
  const joined = await Promise.all(joins);
  const follower = joined.find(({ memberId, leader }) => memberId !== leader);
  assert.ok(follower);
  await Promise.all(joined.map((one) => groups.sync(syncRequest(one, one.memberId.slice(0, 5)))));
  const protocols = [{ name: 'range', metadata: subscription(['other']) }];
  const pod = { groupInstanceId: follower.memberId.slice(0, 5), sessionTimeoutMs: REBALANCE * 4 };
  const again = new Outcome(groups.join(joinRequest({ ...pod, memberId: follower.memberId, protocols })));
  clock.advance(REBALANCE);
  await settle();
  assert.deepEqual([again.value?.leader, again.value?.members.length], [follower.memberId, 2]);
});

test('after a restart of the broker it is still known who leads, whatever came and went before', async () => {
  const { leaderPod, follower, followerPod, ...bench } = await twoPods();
  const back = await bench.groups.join(joinRequest({ groupInstanceId: leaderPod }));
  await closeBench(bench);
  const { groups } = await openBench({}, bench.storage, bench.clock);
  const member = { memberId: follower.memberId, groupInstanceId: followerPod };
  const told = await groups.join(joinRequest(member));
  assert.deepEqual([told.generationId, told.leader], [1, back.memberId]);
});

test('an operator removes a static member by its instance id', async () => {
  const { groups, follower, followerPod } = await twoPods();
  const gone = groups.leave(GROUP, [
    { memberId: '', groupInstanceId: followerPod },
    { memberId: '', groupInstanceId: 'pod-9' },
    { memberId: follower.memberId, groupInstanceId: 'pod-9' },
  ]);
  assert.deepEqual(
    gone.map(({ error }) => error),
    [undefined, 'UNKNOWN_MEMBER_ID', 'UNKNOWN_MEMBER_ID'],
  );
  assert.equal(groups.describe(GROUP)?.members.length, 1);
});

test('a static member that returns while the leader assigns starts a new generation', async () => {
  const { groups, clock } = await openBench();
  const joins = [groups.join(joinRequest(instance(0))), groups.join(joinRequest(instance(1)))];
  clock.advance(1000);
  const joined = await Promise.all(joins);
  const leader = joined.find(({ memberId, leader: id }) => memberId === id);
  const other = joined.find((one) => one !== leader);
  assert.ok(leader && other);
  const back = new Outcome(groups.join(joinRequest({ groupInstanceId: other.memberId.slice(0, 5) })));
  await assert.rejects(
    groups.sync(syncRequest(leader, leader.memberId.slice(0, 5))),
    refusedWith('REBALANCE_IN_PROGRESS'),
  );
  const again = groups.join(joinRequest({ memberId: leader.memberId, groupInstanceId: leader.memberId.slice(0, 5) }));
  assert.equal((await again).generationId, 2);
  await settle();
  assert.equal(back.value?.generationId, 2);
});
