import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogError, type LogErrorCode } from '../errors.ts';
import {
  type Bench,
  closeBench,
  GROUP,
  identity,
  joinRequest,
  openBench,
  SESSION,
  settle,
  stableGroup,
  TOPIC,
} from './groups.fixture.ts';
import type { MemberRequest, OffsetToCommit } from './requests.ts';

const DAY = 86_400_000;
const CHECK = 600_000;
const nobody: MemberRequest = { group: GROUP, memberId: '', groupInstanceId: null, generationId: -1 };
const producer = { producerId: 9, producerEpoch: 0 };

function refusedWith(code: LogErrorCode) {
  return (error: unknown) => error instanceof LogError && error.code === code;
}

function at(offset: number, changes: Partial<OffsetToCommit> = {}): OffsetToCommit {
  return { topic: TOPIC, partition: 0, offset, leaderEpoch: -1, metadata: null, ...changes };
}

function offsetOf({ groups }: Bench, changes: { group?: string; partition?: number; stable?: boolean } = {}) {
  const { group = GROUP, partition = 0, stable = false } = changes;
  const [found] = groups.offsets.fetch(group, [{ topic: TOPIC, partition }], stable);
  return found?.error ?? found?.offset;
}

async function openWithTopic(settings: Parameters<typeof openBench>[0] = {}): Promise<Bench> {
  const bench = await openBench(settings);
  await bench.log.createTopic(TOPIC, { partitions: 3 });
  return bench;
}

test('a committed offset comes back with its leader epoch and metadata, after a restart as well', async () => {
  const bench = await openWithTopic();
  const offsets = [at(5, { leaderEpoch: 2, metadata: 'ünïcode' }), at(7, { partition: 2 })];
  assert.deepEqual(await bench.groups.offsets.commit({ ...nobody, offsets }), [
    { topic: TOPIC, partition: 0 },
    { topic: TOPIC, partition: 2 },
  ]);
  const expected = [
    { topic: TOPIC, partition: 0, offset: 5, leaderEpoch: 2, metadata: 'ünïcode' },
    { topic: TOPIC, partition: 2, offset: 7, leaderEpoch: -1, metadata: '' },
  ];
  assert.deepEqual(bench.groups.offsets.fetch(GROUP, undefined, false), expected);
  const [none] = bench.groups.offsets.fetch(GROUP, [{ topic: TOPIC, partition: 1 }], false);
  assert.deepEqual(none, { topic: TOPIC, partition: 1, offset: -1, leaderEpoch: -1, metadata: '' });
  await closeBench(bench);
  const again = await openBench({}, bench.storage, bench.clock);
  assert.deepEqual(again.groups.offsets.fetch(GROUP, undefined, false), expected);
  assert.deepEqual(again.groups.describe(GROUP)?.state, 'Empty');
});

test('metadata beyond the limit is refused for its partition, and the rest is committed', async () => {
  const bench = await openWithTopic();
  const offsets = [at(1, { metadata: 'x'.repeat(4097) }), at(2, { partition: 1, metadata: 'x'.repeat(4096) })];
  const [large, small] = await bench.groups.offsets.commit({ ...nobody, offsets });
  assert.equal(large?.error, 'OFFSET_METADATA_TOO_LARGE');
  assert.equal(small?.error, undefined);
  assert.deepEqual([offsetOf(bench), offsetOf(bench, { partition: 1 })], [-1, 2]);
});

test('only members of the generation commit for a group that has members', async () => {
  const bench = await openWithTopic();
  const { groups, log } = bench;
  const { joined } = await stableGroup(bench, 2);
  const [member] = joined;
  assert.ok(member);
  const commit = (as: MemberRequest) => groups.offsets.commit({ ...as, offsets: [at(4)] });
  await commit(identity(member));
  await assert.rejects(commit({ ...identity(member), generationId: 0 }), refusedWith('ILLEGAL_GENERATION'));
  await assert.rejects(commit({ ...identity(member), memberId: 'stranger' }), refusedWith('UNKNOWN_MEMBER_ID'));
  await assert.rejects(commit(nobody), refusedWith('UNKNOWN_MEMBER_ID'));
  await assert.rejects(log.commitOffsets(GROUP, TOPIC, new Map([[0, 9]])), refusedWith('UNKNOWN_MEMBER_ID'));
  await assert.rejects(commit({ ...identity(member), group: 'missing' }), refusedWith('GROUP_ID_NOT_FOUND'));
  assert.equal(offsetOf(bench), 4);
  groups.leave(
    GROUP,
    joined.map(({ memberId }) => ({ memberId, groupInstanceId: null })),
  );
  await log.commitOffsets(GROUP, TOPIC, new Map([[0, 9]]));
  assert.equal(offsetOf(bench), 9, 'one view of the offsets, in process and by the protocol');
  await commit(nobody);
  assert.equal(log.committedOffsets(GROUP, TOPIC).get(0), 4);
});

test('a commit waits for the assignment, not for the members who are still to join, and keeps the session', async () => {
  const bench = await openWithTopic();
  const { groups, clock } = bench;
  const { joined } = await stableGroup(bench, 1);
  const [old] = joined;
  assert.ok(old);
  const commit = (as: MemberRequest) => groups.offsets.commit({ ...as, offsets: [at(4)] });
  for (let n = 0; n < 4; n++) {
    clock.advance(SESSION - 1);
    await commit(identity(old));
  }
  const newcomer = groups.join(joinRequest());
  await commit(identity(old));
  const again = groups.join(joinRequest({ memberId: old.memberId }));
  await newcomer;
  await assert.rejects(commit(identity(await again)), refusedWith('REBALANCE_IN_PROGRESS'));
});

test('offsets expire a week after a group lost its last member, or after the last commit of one that never had any', async () => {
  const bench = await openWithTopic();
  const { groups, clock, log } = bench;
  const { joined } = await stableGroup(bench, 1, () => ({ sessionTimeoutMs: 1_800_000 }));
  const [member] = joined;
  assert.ok(member);
  await groups.offsets.commit({ ...identity(member), offsets: [at(1)] });
  await log.commitOffsets('simple', TOPIC, new Map([[0, 1]]));
  const pass = async (ms: number, beat: boolean) => {
    for (let passed = 0; passed < ms; passed += CHECK) {
      clock.advance(CHECK);
      if (beat) groups.heartbeat(identity(member));
      await settle();
    }
  };
  await pass(8 * DAY, true);
  assert.deepEqual([offsetOf(bench), offsetOf(bench, { group: 'simple' })], [1, -1]);
  assert.equal(groups.describe('simple'), undefined);
  groups.leave(GROUP, [{ memberId: member.memberId, groupInstanceId: null }]);
  await pass(7 * DAY - 2 * CHECK, false);
  assert.equal(offsetOf(bench), 1);
  await pass(3 * CHECK, false);
  assert.equal(offsetOf(bench), -1);
  assert.deepEqual(groups.list([], []), []);
  await closeBench(bench);
  const again = await openBench({}, bench.storage, clock);
  assert.deepEqual(again.groups.list([], []), []);
});

test('a commit that brings its own retention is kept for that long', async () => {
  const bench = await openWithTopic();
  const { groups, clock } = bench;
  await groups.offsets.commit({ ...nobody, offsets: [at(1)], retentionTimeMs: 2 * CHECK });
  clock.advance(CHECK);
  await settle();
  await closeBench(bench);
  const again = await openBench({}, bench.storage, clock);
  assert.equal(offsetOf(again), 1);
  clock.advance(2 * CHECK);
  await settle();
  assert.equal(offsetOf(again), -1);
});

test('offsets are deleted for topics that no member reads', async () => {
  const bench = await openWithTopic();
  const { groups, log } = bench;
  await log.createTopic('other', { partitions: 1 });
  const { joined } = await stableGroup(bench, 1);
  const [member] = joined;
  assert.ok(member);
  await groups.offsets.commit({ ...identity(member), offsets: [at(1), at(2, { topic: 'other' })] });
  const partitions = [TOPIC, 'other'].map((topic) => ({ topic, partition: 0 }));
  assert.deepEqual(await groups.offsets.delete(GROUP, partitions), [
    { topic: TOPIC, partition: 0, error: 'GROUP_SUBSCRIBED_TO_TOPIC' },
    { topic: 'other', partition: 0 },
  ]);
  assert.equal(offsetOf(bench), 1);
  assert.deepEqual(
    groups.offsets.fetch(GROUP, undefined, false).map(({ topic }) => topic),
    [TOPIC],
  );
  await assert.rejects(groups.offsets.delete('missing', partitions), refusedWith('GROUP_ID_NOT_FOUND'));
  const own = groups.join(joinRequest({ group: 'connect', protocolType: 'connect' }));
  bench.clock.advance(1000);
  await own;
  await assert.rejects(groups.offsets.delete('connect', partitions), refusedWith('NON_EMPTY_GROUP'));
});

test('offsets of a transaction show when it commits, never when it aborts, and are unstable until then', async () => {
  const bench = await openWithTopic();
  const { groups } = bench;
  await groups.offsets.commit({ ...nobody, offsets: [at(1)] });
  for (const [commit, expected] of [
    [false, 1],
    [true, 5],
  ] as const) {
    await groups.transactionalOffsets.pend(producer, { ...nobody, offsets: [at(5)] });
    assert.equal(offsetOf(bench), 1);
    assert.equal(offsetOf(bench, { stable: true }), 'UNSTABLE_OFFSET_COMMIT');
    assert.equal(offsetOf(bench, { stable: true, partition: 1 }), -1);
    await bench.log.groupOffsets.complete(producer, commit);
    assert.equal(offsetOf(bench, { stable: true }), expected);
    await bench.log.groupOffsets.complete(producer, commit);
  }
});

test('a transaction survives a restart, and its end is found again', async () => {
  let bench = await openWithTopic();
  await bench.groups.transactionalOffsets.pend(producer, { ...nobody, offsets: [at(5)] });
  const restart = async () => {
    await closeBench(bench);
    bench = await openBench({}, bench.storage, bench.clock);
  };
  await restart();
  assert.equal(offsetOf(bench, { stable: true }), 'UNSTABLE_OFFSET_COMMIT');
  assert.equal(bench.groups.describe(GROUP)?.state, 'Empty');
  await bench.log.groupOffsets.complete(producer, true);
  await restart();
  assert.equal(offsetOf(bench, { stable: true }), 5);
});

test('what was written last counts, whoever ends last', async () => {
  const bench = await openWithTopic();
  const { groups } = bench;
  const other = { producerId: 10, producerEpoch: 3 };
  const pend = (who: typeof producer, offset: number) =>
    groups.transactionalOffsets.pend(who, { ...nobody, offsets: [at(offset)] });
  await pend(producer, 1);
  await pend(other, 2);
  await bench.log.groupOffsets.complete(other, true);
  await bench.log.groupOffsets.complete(producer, true);
  assert.equal(offsetOf(bench), 2);
  await pend(producer, 3);
  await groups.offsets.commit({ ...nobody, offsets: [at(4)] });
  await bench.log.groupOffsets.complete(producer, true);
  assert.equal(offsetOf(bench), 4);
  await pend(producer, 5);
  await groups.delete(GROUP);
  await bench.log.groupOffsets.complete(producer, true);
  assert.equal(offsetOf(bench), -1);
  await closeBench(bench);
  assert.equal(offsetOf(await openBench({}, bench.storage, bench.clock)), -1);
});

test('what a transaction has pending goes with its group, and with its topic', async () => {
  const bench = await openWithTopic();
  const { groups, log } = bench;
  const pend = () => groups.transactionalOffsets.pend(producer, { ...nobody, offsets: [at(5)] });
  await pend();
  await groups.delete(GROUP);
  await log.groupOffsets.complete(producer, true);
  assert.equal(offsetOf(bench), -1);
  await pend();
  await log.deleteTopic(TOPIC);
  await log.createTopic(TOPIC);
  await log.groupOffsets.complete(producer, true);
  assert.equal(offsetOf(bench), -1);
});

test('a transaction commits for a member of the generation, also during a rebalance, and for no other', async () => {
  const bench = await openWithTopic();
  const { groups } = bench;
  const { joined } = await stableGroup(bench, 1);
  const [member] = joined;
  assert.ok(member);
  const pend = (as: MemberRequest) => groups.transactionalOffsets.pend(producer, { ...as, offsets: [at(5)] });
  await assert.rejects(pend({ ...identity(member), generationId: 7 }), refusedWith('ILLEGAL_GENERATION'));
  await assert.rejects(pend({ ...identity(member), memberId: 'stranger' }), refusedWith('UNKNOWN_MEMBER_ID'));
  await assert.rejects(pend({ ...identity(member), group: 'missing' }), refusedWith('ILLEGAL_GENERATION'));
  await pend(nobody);
  const again = await groups.join(joinRequest({ memberId: member.memberId }));
  await pend(identity(again));
});

test('an open transaction keeps its offsets and its group from expiring, and nothing else', async () => {
  const bench = await openWithTopic();
  const { groups, clock } = bench;
  await groups.offsets.commit({ ...nobody, offsets: [at(1), at(2, { partition: 1 })] });
  await groups.transactionalOffsets.pend(producer, { ...nobody, offsets: [at(5)] });
  const other = { producerId: 10, producerEpoch: 0 };
  const simple = { ...nobody, group: 'simple' };
  await groups.offsets.commit({ ...simple, offsets: [at(1, { partition: 2 })] });
  await groups.transactionalOffsets.pend(other, { ...simple, offsets: [at(7)] });
  for (let n = 0; n < 3; n++) {
    clock.advance(8 * DAY);
    await settle();
  }
  assert.deepEqual([offsetOf(bench), offsetOf(bench, { partition: 1 })], [1, -1]);
  await bench.log.groupOffsets.complete(producer, true);
  await bench.log.groupOffsets.complete(other, true);
  assert.deepEqual([offsetOf(bench), offsetOf(bench, { group: 'simple' })], [5, 7]);
});

test('a thousand transactions and commits leave a small log that still knows what is pending', async () => {
  const bench = await openWithTopic();
  const { groups, log } = bench;
  const metadata = 'm'.repeat(4000);
  await groups.transactionalOffsets.pend(
    { producerId: 77, producerEpoch: 0 },
    { ...nobody, offsets: [at(3, { partition: 1 })] },
  );
  for (let n = 0; n < 1000; n++) {
    await groups.offsets.commit({ ...nobody, offsets: [at(n, { metadata })] });
    await groups.transactionalOffsets.pend(producer, { ...nobody, offsets: [at(n, { partition: 2 })] });
    await bench.log.groupOffsets.complete(producer, n % 2 === 0);
  }
  await settle();
  await closeBench(bench);
  let bytes = 0;
  for (const name of bench.storage.list('/data/__consumer_offsets-0')) {
    if (name.endsWith('.log')) bytes += bench.storage.open(`/data/__consumer_offsets-0/${name}`, false).size();
  }
  assert.ok(bytes < 2.5 * 1024 * 1024, `${bytes} bytes are left`);
  const again = await openBench({}, bench.storage, bench.clock);
  assert.deepEqual(
    [0, 1, 2].map((partition) => offsetOf(again, { partition, stable: true })),
    [999, 'UNSTABLE_OFFSET_COMMIT', 998],
  );
  await again.log.groupOffsets.complete({ producerId: 77, producerEpoch: 1 }, true);
  assert.equal(offsetOf(again, { partition: 1, stable: true }), 3);
  assert.notEqual(log, again.log);
});
