import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FaultyStorage, seededRandom } from '../log/faulty-storage.ts';
import { ManualClock } from '../log/manual-clock.ts';
import {
  type Bench,
  closeBench,
  GROUP,
  identity,
  joinRequest,
  openBench,
  SESSION,
  settle,
  syncRequest,
  TOPIC,
} from './groups.fixture.ts';
import type { JoinResult } from './requests.ts';

/**
 * The broker loses its power, or is killed, at every storage operation of a group's life: two members join, are assigned,
 * commit, pend offsets in transactions that commit and abort, one leaves. What was answered must hold afterwards: the
 * members' generation and assignments, their offsets, and what transactions decided.
 */
const producer = { producerId: 5, producerEpoch: 1 };
const nobody = { group: GROUP, memberId: '', groupInstanceId: null, generationId: -1 };

/** What the outside world was told. */
interface Witness {
  /** The members of the generation whose assignments were handed out; none while that may be changing. */
  stable: readonly JoinResult[];
  /** Per partition: what was asked for since the last that was acknowledged, which comes first. */
  readonly offsets: Map<number, number[]>;
  /** Partition 1 has an offset pending. */
  pending: boolean;
}

function freshWitness(): Witness {
  return { stable: [], offsets: new Map([0, 1].map((partition) => [partition, [-1]])), pending: false };
}

async function rebalance({ groups, clock }: Bench, members: readonly string[]): Promise<JoinResult[]> {
  const joins = members.map((memberId) => groups.join(joinRequest({ memberId })));
  await settle();
  clock.advance(200);
  const joined = await Promise.all(joins);
  await Promise.all(joined.map((one) => groups.sync(syncRequest(one))));
  return joined;
}

async function decide(
  witness: Witness,
  partition: number,
  offset: number,
  work: () => Promise<unknown>,
): Promise<void> {
  const asked = witness.offsets.get(partition);
  asked?.push(offset);
  await work();
  witness.offsets.set(partition, [offset]);
}

async function load(bench: Bench, witness: Witness): Promise<void> {
  const { groups, log, clock } = bench;
  await log.createTopic(TOPIC, { partitions: 2 });
  const joined = await rebalance(bench, ['', '']);
  witness.stable = joined;
  const [first, second] = joined;
  assert.ok(first && second);
  const commit = (offset: number) => () =>
    groups.offsets.commit({
      ...identity(first),
      offsets: [{ topic: TOPIC, partition: 0, offset, leaderEpoch: -1, metadata: null }],
    });
  const pend = (offset: number) =>
    groups.transactionalOffsets.pend(producer, {
      ...nobody,
      offsets: [{ topic: TOPIC, partition: 1, offset, leaderEpoch: -1, metadata: null }],
    });
  await decide(witness, 0, 10, commit(10));
  for (const [offset, commits] of [
    [20, true],
    [30, false],
    [40, true],
  ] as const) {
    await pend(offset);
    witness.pending = true;
    const before = witness.offsets.get(1)?.[0] ?? -1;
    await decide(witness, 1, commits ? offset : before, () => {
      const completed = bench.log.groupOffsets.complete(producer, commits);
      witness.pending = false;
      return completed;
    });
  }
  await decide(witness, 0, 11, commit(11));
  witness.stable = [];
  groups.leave(GROUP, [{ memberId: second.memberId, groupInstanceId: null }]);
  witness.stable = await rebalance(bench, [first.memberId]);
  clock.advance(100);
  await settle();
}

async function verify(storage: FaultyStorage, now: number, witness: Witness): Promise<void> {
  const bench = await openBench({}, storage, new ManualClock(now));
  const { groups, clock } = bench;
  for (const [partition, possible] of witness.offsets) {
    const fetch = (stable: boolean) => groups.offsets.fetch(GROUP, [{ topic: TOPIC, partition }], stable)[0];
    assert.ok(possible.includes(fetch(false)?.offset ?? -2), `${fetch(false)?.offset} is none of ${possible}`);
    if (partition === 1 && witness.pending) assert.equal(fetch(true)?.error, 'UNSTABLE_OFFSET_COMMIT');
  }
  // A fresh session for everybody, and no rebalance.
  clock.advance(SESSION - 1);
  for (const member of witness.stable) groups.heartbeat(identity(member));
  for (const member of witness.stable) {
    const { assignment } = await groups.sync(syncRequest(member));
    assert.equal(assignment.toString(), member.memberId);
  }
  if (witness.stable.length > 0) assert.equal(groups.describe(GROUP)?.members.length, witness.stable.length);
  await bench.log.groupOffsets.complete(producer, false);
  assert.equal(groups.offsets.fetch(GROUP, [{ topic: TOPIC, partition: 1 }], true)[0]?.error, undefined);
  clock.advance(SESSION);
  assert.notEqual(groups.describe(GROUP)?.state ?? 'Empty', 'Stable', 'and it ends when nobody is heard of');
  await closeBench(bench);
}

async function operationsOfLoad(): Promise<{ before: number; after: number }> {
  const bench = await openBench();
  const before = bench.storage.operations;
  const witness = freshWitness();
  await load(bench, witness);
  assert.deepEqual([...witness.offsets.values()], [[11], [40]]);
  assert.equal(witness.stable.length, 1);
  const after = bench.storage.operations;
  await verify(bench.storage.afterKill(), bench.clock.now(), witness);
  return { before, after };
}

test('groups, their offsets and transactions survive a crash at any operation', async () => {
  const { before, after } = await operationsOfLoad();
  assert.ok(after - before > 30, `the load has only ${after - before} operations`);
  for (let cutAt = before + 1; cutAt <= after; cutAt++) {
    for (const seed of [undefined, 1, 2, 3]) {
      const bench = await openBench();
      const witness = freshWitness();
      bench.storage.cutAt = cutAt;
      let over = false;
      const loading = load(bench, witness).catch((error: unknown) => {
        if (error instanceof assert.AssertionError) throw error;
      });
      void loading.then(() => {
        over = true;
      });
      // Who waits for a broker that is dead waits in vain.
      for (let turns = 0; turns < 12 && !over; turns++) await settle();
      const { storage, clock } = bench;
      const found = seed === undefined ? storage.afterKill() : storage.afterPowerCut(seededRandom(cutAt * 10 + seed));
      try {
        await verify(found, clock.now(), witness);
      } catch (error) {
        throw new Error(`cut at operation ${cutAt - before} of ${after - before}, seed ${seed}`, { cause: error });
      }
    }
  }
});
