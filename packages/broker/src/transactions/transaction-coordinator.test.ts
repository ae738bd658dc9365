import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DAY, partitions, refused, Stage, settled } from './coordinator.fixture.ts';

test('a transaction goes from its producer to its markers, and the next one follows under the same epoch', async () => {
  const stage = await Stage.open();
  const producer = await stage.start('a');
  assert.deepEqual(producer, { producerId: 1, producerEpoch: 0 });
  assert.equal(stage.stateOf('a'), 'Empty');
  for (const [commit, state] of [
    [true, 'CompleteCommit'],
    [false, 'CompleteAbort'],
  ] as const) {
    await stage.coordinator.addPartitions('a', producer, partitions('x-0', 'x-2'));
    await stage.coordinator.addPartitions('a', producer, partitions('x-0', 'y-1'));
    assert.equal(stage.stateOf('a'), 'Ongoing');
    stage.participants.asked.length = 0;
    await stage.coordinator.end('a', producer, commit);
    assert.equal(stage.stateOf('a'), state);
    assert.deepEqual(stage.participants.asked.map(({ at }) => at).sort(), ['x-0', 'x-2', 'y-1']);
    for (const { marker } of stage.participants.asked) {
      assert.deepEqual(marker, { ...producer, coordinatorEpoch: 0, commit });
    }
  }
  await stage.close();
});

test('a producer without a transactional id gets a fresh producer id each time, and none twice after a crash', async () => {
  const stage = await Stage.open();
  const seen = new Set<number>();
  for (let n = 0; n < 3500; n++) {
    if (n % 1100 === 1099) await stage.restart(n % 2200 === 1099 ? 'killed' : 'cleanly');
    const expected = n % 2 === 0 ? { producerId: 0, producerEpoch: 0 } : undefined;
    const given = await stage.coordinator.initProducerId({ transactionalId: null, timeoutMs: 0, expected });
    assert.equal(given.producerEpoch, 0);
    assert.ok(given.producerId > 0 && !seen.has(given.producerId), `${given.producerId} was given before`);
    seen.add(given.producerId);
  }
  assert.ok(Math.max(...seen) < 10_000, 'ids stay small');
  await stage.close();
});

test('a new producer of the same transactional id fences the one before', async () => {
  const stage = await Stage.open();
  const old = await stage.start('a');
  const young = await stage.start('a');
  assert.deepEqual(young, { producerId: old.producerId, producerEpoch: old.producerEpoch + 1 });
  await refused(stage.coordinator.addPartitions('a', old, partitions('x-0')), 'PRODUCER_FENCED');
  await refused(stage.coordinator.end('a', old, true), 'PRODUCER_FENCED');
  await refused(stage.start('a', old), 'PRODUCER_FENCED');
  assert.equal(stage.coordinator.verify('a', old.producerId, old.producerEpoch, 'x', 0), 'INVALID_PRODUCER_EPOCH');
  await stage.coordinator.addPartitions('a', young, partitions('x-0'));
  await stage.close();
});

test('a new producer finds an open transaction: it is aborted under an epoch that nobody has', async () => {
  const stage = await Stage.open();
  const old = await stage.start('a');
  await stage.coordinator.addPartitions('a', old, partitions('x-0'));
  await refused(stage.start('a'), 'CONCURRENT_TRANSACTIONS');
  assert.deepEqual(stage.participants.asked, [
    { at: 'x-0', marker: { producerId: 1, producerEpoch: 1, coordinatorEpoch: 0, commit: false } },
  ]);
  assert.deepEqual(await stage.start('a'), { producerId: 1, producerEpoch: 2 });
  await refused(stage.coordinator.end('a', old, true), 'PRODUCER_FENCED');
  await stage.close();
});

test('while a decision is carried out, its transactional id answers that it is busy', async () => {
  const stage = await Stage.open();
  const producer = await stage.start('a');
  await stage.coordinator.addPartitions('a', producer, partitions('x-0', 'y-0'));
  let open: () => void = () => undefined;
  stage.participants.gate = new Promise((resolve) => {
    open = resolve;
  });
  const ended = stage.coordinator.end('a', producer, true);
  await refused(stage.coordinator.addPartitions('a', producer, partitions('x-0')), 'CONCURRENT_TRANSACTIONS');
  await settled();
  assert.equal(stage.stateOf('a'), 'PrepareCommit');
  await refused(stage.start('a'), 'CONCURRENT_TRANSACTIONS');
  await refused(stage.coordinator.addPartitions('a', producer, partitions('x-0')), 'CONCURRENT_TRANSACTIONS');
  await refused(stage.coordinator.end('a', producer, true), 'CONCURRENT_TRANSACTIONS');
  await refused(stage.coordinator.end('a', producer, false), 'INVALID_TXN_STATE');
  assert.equal(stage.coordinator.verify('a', 1, 0, 'x', 0), 'CONCURRENT_TRANSACTIONS');
  open();
  await ended;
  assert.equal(stage.stateOf('a'), 'CompleteCommit');
  await stage.close();
});

test('EndTxn may be asked again, and nothing else ends what is ended', async () => {
  const stage = await Stage.open();
  const producer = await stage.start('a');
  await refused(stage.coordinator.end('a', producer, true), 'INVALID_TXN_STATE');
  await stage.coordinator.addPartitions('a', producer, partitions('x-0'));
  await stage.coordinator.end('a', producer, true);
  await stage.coordinator.end('a', producer, true);
  await refused(stage.coordinator.end('a', producer, false), 'INVALID_TXN_STATE');
  assert.equal(stage.participants.asked.length, 1);
  await stage.coordinator.addPartitions('a', producer, partitions('x-0'));
  await stage.coordinator.end('a', producer, false);
  await stage.coordinator.end('a', producer, false);
  await refused(stage.coordinator.end('a', producer, true), 'INVALID_TXN_STATE');
  await stage.close();
});

test('what a request gets wrong is named: an unknown id, another producer, a time-out out of range', async () => {
  const stage = await Stage.open();
  const producer = await stage.start('a');
  const other = { producerId: producer.producerId + 1, producerEpoch: 0 };
  await refused(stage.coordinator.end('b', producer, true), 'INVALID_PRODUCER_ID_MAPPING');
  await refused(stage.coordinator.end('a', other, true), 'INVALID_PRODUCER_ID_MAPPING');
  await refused(stage.coordinator.addPartitions('a', other, partitions('x-0')), 'INVALID_PRODUCER_ID_MAPPING');
  await refused(stage.start(''), 'INVALID_REQUEST');
  await refused(stage.start('x'.repeat(40_000)), 'INVALID_REQUEST');
  await refused(stage.start('a', undefined, 0), 'INVALID_TRANSACTION_TIMEOUT');
  await refused(stage.start('a', undefined, 900_001), 'INVALID_TRANSACTION_TIMEOUT');
  await stage.start('a', undefined, 900_000);
  await stage.close();
});

test('an overdue transaction is aborted and its producer fenced, also when a restart lay in between', async () => {
  for (const restart of [undefined, 'cleanly', 'killed'] as const) {
    const stage = await Stage.open();
    const producer = await stage.start('a', undefined, 10_000);
    await stage.coordinator.addPartitions('a', producer, partitions('x-0'));
    stage.clock.advance(6_000);
    await stage.coordinator.addPartitions('a', producer, partitions('y-0'));
    if (restart !== undefined) await stage.restart(restart);
    stage.clock.advance(3_999);
    await settled();
    assert.equal(stage.stateOf('a'), 'Ongoing', 'its time runs from its first partition on');
    stage.clock.advance(1);
    await settled();
    assert.equal(stage.stateOf('a'), 'CompleteAbort');
    assert.deepEqual(
      stage.participants.asked.map(({ marker }) => marker.producerEpoch),
      [1, 1],
    );
    await refused(stage.coordinator.end('a', producer, true), 'PRODUCER_FENCED');
    await refused(stage.start('a', producer), 'PRODUCER_FENCED');
    assert.deepEqual(await stage.start('a'), { producerId: 1, producerEpoch: 2 });
    await stage.close();
  }
});

test('time that ends while a step is being written aborts the transaction a little later', async () => {
  const stage = await Stage.open();
  const producer = await stage.start('a', undefined, 10_000);
  await stage.coordinator.addPartitions('a', producer, partitions('x-0'));
  const adding = stage.coordinator.addPartitions('a', producer, partitions('y-0'));
  stage.clock.advance(10_000);
  await adding;
  stage.clock.advance(0);
  await settled();
  assert.equal(stage.stateOf('a'), 'CompleteAbort');
  assert.equal(stage.participants.asked.length, 2);
  await stage.close();
});

test('a transaction that ended in time is left in peace by its time-out', async () => {
  const stage = await Stage.open();
  const producer = await stage.start('a', undefined, 10_000);
  await stage.coordinator.addPartitions('a', producer, partitions('x-0'));
  await stage.coordinator.end('a', producer, true);
  stage.clock.advance(20_000);
  await settled();
  assert.deepEqual(stage.stateOf('a'), 'CompleteCommit');
  await stage.coordinator.addPartitions('a', producer, partitions('x-0'));
  stage.clock.advance(9_999);
  await settled();
  assert.equal(stage.stateOf('a'), 'Ongoing');
  await stage.close();
});

test('a producer goes on from its own epoch, and a retry whose answer was lost gets the same answer', async () => {
  for (const restart of [undefined, 'cleanly', 'killed'] as const) {
    const stage = await Stage.open();
    const first = await stage.start('a');
    const second = await stage.start('a', first);
    assert.deepEqual(second, { producerId: 1, producerEpoch: 1 });
    if (restart !== undefined) await stage.restart(restart);
    assert.deepEqual(await stage.start('a', first), second, 'the same again');
    assert.deepEqual(await stage.start('a', first), second, 'as often as it is asked');
    const third = await stage.start('a', second);
    assert.deepEqual(third, { producerId: 1, producerEpoch: 2 });
    await refused(stage.start('a', first), 'PRODUCER_FENCED');
    await stage.start('a');
    await refused(stage.start('a', second), 'PRODUCER_FENCED');
    await refused(stage.start('a', third), 'PRODUCER_FENCED');
    await refused(stage.start('a', { producerId: 77, producerEpoch: 0 }), 'PRODUCER_FENCED');
    assert.deepEqual(await stage.start('unknown', { producerId: 77, producerEpoch: 3 }), {
      producerId: (await stage.start('unknown')).producerId,
      producerEpoch: 0,
    });
    await stage.close();
  }
});

test('when the epochs run out the transactional id gets a new producer id, and a retry of that is recognised', async () => {
  for (const goesOn of [false, true]) {
    const stage = await Stage.open();
    const { producerId } = await stage.start('a');
    await stage.raiseEpoch('a', 32_765);
    const last = await stage.start('a', goesOn ? { producerId, producerEpoch: 32_765 } : undefined);
    assert.deepEqual(last, { producerId, producerEpoch: 32_766 });
    await stage.coordinator.addPartitions('a', last, partitions('x-0'));
    await stage.coordinator.end('a', last, true);
    const fresh = await stage.start('a', goesOn ? last : undefined);
    assert.deepEqual(fresh, { producerId: 1001, producerEpoch: 0 });
    await refused(stage.coordinator.end('a', last, true), 'INVALID_PRODUCER_ID_MAPPING');
    if (goesOn) {
      await stage.restart('killed');
      assert.deepEqual(await stage.start('a', last), fresh);
      assert.deepEqual(await stage.start('a', last), fresh);
    } else {
      await refused(stage.start('a', last), 'PRODUCER_FENCED');
    }
    assert.deepEqual(await stage.start('a', fresh), { producerId: 1001, producerEpoch: 1 });
    await refused(stage.start('a', last), 'PRODUCER_FENCED');
    await stage.close();
  }
});

test('the last epoch of all fences the last producer', async () => {
  const stage = await Stage.open();
  const { producerId } = await stage.start('a');
  await stage.raiseEpoch('a', 32_766);
  const last = { producerId, producerEpoch: 32_766 };
  await stage.coordinator.addPartitions('a', last, partitions('x-0'));
  await refused(stage.start('a'), 'CONCURRENT_TRANSACTIONS');
  assert.equal(stage.participants.asked[0]!.marker.producerEpoch, 32_767);
  assert.deepEqual(await stage.start('a'), { producerId: 1001, producerEpoch: 0 });
  await stage.close();
});

test('only the producer of an open transaction may write, and only where it said it would', async () => {
  const stage = await Stage.open();
  const verify = (producerId: number, epoch: number, topic: string, partition: number) =>
    stage.coordinator.verify('a', producerId, epoch, topic, partition);
  assert.equal(verify(1, 0, 'x', 0), 'INVALID_PRODUCER_ID_MAPPING');
  const { producerId: id } = await stage.start('a');
  assert.equal(verify(id, 0, 'x', 0), 'INVALID_TXN_STATE');
  const adding = stage.coordinator.addPartitions('a', { producerId: id, producerEpoch: 0 }, partitions('x-0'));
  assert.equal(verify(id, 0, 'x', 0), 'INVALID_TXN_STATE', 'not before it is durable');
  await adding;
  assert.equal(verify(id, 0, 'x', 0), undefined);
  assert.equal(verify(id, 0, 'x', 1), 'INVALID_TXN_STATE');
  assert.equal(verify(id, 0, 'y', 0), 'INVALID_TXN_STATE');
  assert.equal(verify(id, 1, 'x', 0), 'INVALID_PRODUCER_EPOCH');
  assert.equal(verify(id + 1, 0, 'x', 0), 'INVALID_PRODUCER_ID_MAPPING');
  await stage.coordinator.end('a', { producerId: id, producerEpoch: 0 }, true);
  assert.equal(verify(id, 0, 'x', 0), 'INVALID_TXN_STATE');
  await stage.close();
});

test('a partition that takes no marker delays the end, not the answer, and the others are not asked twice', async () => {
  const stage = await Stage.open();
  const producer = await stage.start('a');
  await stage.coordinator.addPartitions('a', producer, partitions('x-0', 'y-0', 'y-1'));
  stage.participants.refusing.add('y-1');
  await stage.coordinator.end('a', producer, true);
  assert.equal(stage.stateOf('a'), 'PrepareCommit');
  assert.deepEqual(stage.coordinator.describe('a').partitions, partitions('y-1'));
  await refused(stage.coordinator.addPartitions('a', producer, partitions('x-0')), 'CONCURRENT_TRANSACTIONS');
  stage.participants.asked.length = 0;
  stage.clock.advance(1000);
  await settled();
  assert.equal(stage.stateOf('a'), 'PrepareCommit');
  stage.participants.refusing.clear();
  stage.clock.advance(1000);
  await settled();
  assert.equal(stage.stateOf('a'), 'CompleteCommit');
  assert.deepEqual(
    stage.participants.asked.map(({ at }) => at),
    ['y-1', 'y-1'],
  );
  await stage.close();
});

test('a full disk costs the step that meets it, and the next may succeed', async () => {
  const stage = await Stage.open();
  const producer = await stage.start('a', undefined, 10_000);
  const full = (on: boolean) => {
    stage.storage.failWrite = (path) => on && path.includes('__transaction_state');
  };
  full(true);
  await refused(stage.start('b'), 'COORDINATOR_NOT_AVAILABLE');
  await refused(stage.coordinator.addPartitions('a', producer, partitions('x-0')), 'COORDINATOR_NOT_AVAILABLE');
  assert.equal(stage.stateOf('a'), 'Empty');
  full(false);
  await stage.start('b');
  await stage.coordinator.addPartitions('a', producer, partitions('x-0'));
  full(true);
  await refused(stage.coordinator.end('a', producer, true), 'COORDINATOR_NOT_AVAILABLE');
  assert.equal(stage.participants.asked.length, 0, 'nothing is done about a decision that is not written');
  stage.clock.advance(10_000);
  await settled();
  assert.equal(stage.stateOf('a'), 'Ongoing', 'overdue, and nothing can be written');
  full(false);
  stage.clock.advance(1000);
  await settled();
  assert.equal(stage.stateOf('a'), 'CompleteAbort');
  await stage.close();
});

test('a decision whose end cannot be written down is completed when it can', async () => {
  const stage = await Stage.open();
  const producer = await stage.start('a');
  await stage.coordinator.addPartitions('a', producer, partitions('x-0'));
  let writes = 0;
  stage.storage.failWrite = (path) => path.includes('__transaction_state') && ++writes === 2;
  await stage.coordinator.end('a', producer, true);
  assert.equal(stage.stateOf('a'), 'PrepareCommit');
  stage.clock.advance(1000);
  await settled();
  assert.equal(stage.stateOf('a'), 'CompleteCommit');
  assert.equal(stage.participants.asked.length, 1);
  await stage.close();
});

test('transactional ids that were silent for a week without an open transaction are forgotten, for good', async () => {
  const stage = await Stage.open();
  const idle = await stage.start('idle');
  const ended = await stage.start('ended');
  await stage.coordinator.addPartitions('ended', ended, partitions('x-0'));
  await stage.coordinator.end('ended', ended, true);
  stage.clock.advance(7 * DAY - 3_600_001);
  const young = await stage.start('young', undefined, 900_000);
  stage.clock.advance(3_600_001);
  await settled();
  for (const id of ['idle', 'ended']) {
    assert.throws(() => stage.coordinator.describe(id), { code: 'TRANSACTIONAL_ID_NOT_FOUND' });
    await refused(stage.coordinator.end(id, idle, true), 'INVALID_PRODUCER_ID_MAPPING');
  }
  await stage.coordinator.addPartitions('young', young, partitions('x-0'));
  await stage.restart('killed');
  assert.deepEqual(
    stage.coordinator
      .list({ states: [], producerIds: [], durationMs: -1 })
      .transactions.map((one) => one.transactionalId),
    ['young'],
  );
  const again = await stage.start('idle', idle);
  assert.equal(again.producerEpoch, 0);
  assert.notEqual(again.producerId, idle.producerId);
  await stage.close();
});

test('a transactional id in the middle of a step, or with a decision to carry out, is not forgotten', async () => {
  const stage = await Stage.open();
  const stuck = await stage.start('stuck');
  await stage.coordinator.addPartitions('stuck', stuck, partitions('x-0'));
  stage.participants.refusing.add('x-0');
  await stage.coordinator.end('stuck', stuck, true);
  const idle = await stage.start('idle', undefined, 900_000);
  stage.clock.advance(7 * DAY - 1);
  await settled();
  const back = stage.coordinator.addPartitions('idle', idle, partitions('y-0'));
  stage.clock.advance(3_600_000);
  await back;
  await settled();
  assert.equal(stage.stateOf('stuck'), 'PrepareCommit');
  assert.notEqual(stage.coordinator.describe('idle'), undefined);
  await stage.restart('killed');
  stage.clock.advance(0);
  await settled();
  assert.equal(stage.stateOf('stuck'), 'CompleteCommit');
  assert.equal(stage.stateOf('idle'), 'CompleteAbort', 'overdue, by its last step');
  await stage.close();
});

test('transactions are listed by state, producer and age, and unknown states are named', async () => {
  const stage = await Stage.open();
  const { coordinator } = stage;
  const listed = (filter: { states?: string[]; producerIds?: number[]; durationMs?: number }) =>
    coordinator
      .list({ states: [], producerIds: [], durationMs: -1, ...filter })
      .transactions.map(({ transactionalId }) => transactionalId);
  const a = await stage.start('a');
  await coordinator.addPartitions('a', a, partitions('x-0'));
  stage.clock.advance(500);
  const b = await stage.start('b');
  await coordinator.addPartitions('b', b, partitions('x-0'));
  await stage.start('c');
  assert.deepEqual(listed({}), ['a', 'b', 'c']);
  assert.deepEqual(listed({ states: ['Ongoing'] }), ['a', 'b']);
  assert.deepEqual(listed({ states: ['Empty', 'Nonsense'] }), ['c']);
  assert.deepEqual(listed({ states: ['Nonsense'] }), []);
  assert.deepEqual(coordinator.list({ states: ['Nonsense', 'Dead'], producerIds: [], durationMs: -1 }).unknownStates, [
    'Nonsense',
  ]);
  assert.deepEqual(listed({ producerIds: [b.producerId, 99] }), ['b']);
  assert.deepEqual(listed({ states: ['Ongoing'], durationMs: 499 }), ['a']);
  assert.deepEqual(listed({ states: ['Ongoing'], durationMs: 500 }), []);
  const described = coordinator.describe('a');
  assert.deepEqual(
    [described.producerId, described.producerEpoch, described.timeoutMs, described.startedAt, described.partitions],
    [a.producerId, 0, 60_000, stage.clock.now() - 500, partitions('x-0')],
  );
  await stage.close();
});

test('two producers that start at once under one transactional id do not both get it', async () => {
  const stage = await Stage.open();
  const both = await Promise.allSettled([stage.start('a'), stage.start('a')]);
  assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  assert.deepEqual(await stage.start('a'), { producerId: 1, producerEpoch: 1 });
  await stage.close();
});

test('a coordinator that is closed takes no step, and leaves what is open to the next', async () => {
  const stage = await Stage.open();
  const producer = await stage.start('a', undefined, 10_000);
  await stage.coordinator.addPartitions('a', producer, partitions('x-0'));
  await stage.coordinator.close();
  await refused(stage.coordinator.end('a', producer, true), 'COORDINATOR_NOT_AVAILABLE');
  stage.clock.advance(60_000);
  await settled();
  assert.equal(stage.stateOf('a'), 'Ongoing');
  await stage.log.close();
});
