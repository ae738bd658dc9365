import assert from 'node:assert/strict';
import { test } from 'node:test';
import { opened, reopened } from './client.fixture.ts';
import { TRANSACTIONS_TOPIC } from './data-directory.ts';
import type { Entry } from './keyed-log.ts';

const entry = (key: string, value: string): Entry => ({ key: Buffer.from(key), value: Buffer.from(value) });
const nothing = () => undefined;

test('a rewriting that breaks off leaves what is pending in transactions as it was', async () => {
  for (const kept of [0, 1, 2]) {
    const { log, storage, clock } = await opened();
    const keyed = await log.catalog.openInternal(TRANSACTIONS_TOPIC);
    const producer = { producerId: 1, producerEpoch: 0 };
    await keyed.put([entry('k', 'old')], nothing);
    await keyed.pend(producer, [entry('k', 'new')], nothing);
    let written = 0;
    storage.failWrite = (path) =>
      path.includes(TRANSACTIONS_TOPIC) && path.endsWith('.log') && !path.endsWith('/00000000000000000000.log')
        ? written++ >= kept
        : false;
    for (let n = 0; n < 20; n++) await keyed.put([entry('filler', 'x'.repeat(60_000))], nothing).catch(nothing);
    assert.ok(written > kept || kept === 2, 'it was rewritten in part');
    const again = await reopened(storage.afterKill(), clock);
    const found = await again.log.catalog.openInternal(TRANSACTIONS_TOPIC);
    found.load(nothing);
    const worthOf = () =>
      found
        .entries()
        .find(({ key }) => key.toString() === 'k')
        ?.value?.toString();
    assert.equal(worthOf(), 'old', `${kept} writes kept`);
    await found.complete(producer, true, nothing);
    assert.equal(worthOf(), 'new', `${kept} writes kept`);
    await again.log.close();
  }
});

test('what is written after a rewriting undoes what was pending before', async () => {
  const { log, storage, clock } = await opened();
  const keyed = await log.catalog.openInternal(TRANSACTIONS_TOPIC);
  const producer = { producerId: 1, producerEpoch: 0 };
  await keyed.pend(producer, [entry('k', 'pending')], nothing);
  for (let n = 0; n < 30; n++) await keyed.put([entry('filler', 'x'.repeat(60_000))], nothing);
  assert.ok(keyed.partition.start > 0, 'it was rewritten');
  await keyed.put([entry('k', 'later')], nothing);
  const again = await reopened(storage.afterKill(), clock);
  const found = await again.log.catalog.openInternal(TRANSACTIONS_TOPIC);
  found.load(nothing);
  await found.complete(producer, true, nothing);
  assert.equal(
    found
      .entries()
      .find(({ key }) => key.toString() === 'k')
      ?.value?.toString(),
    'later',
  );
  await again.log.close();
});

test('much that is pending is not written again with every entry', async () => {
  const { log } = await opened();
  const keyed = await log.catalog.openInternal(TRANSACTIONS_TOPIC);
  const producer = { producerId: 1, producerEpoch: 0 };
  for (let n = 0; n < 30; n++) await keyed.pend(producer, [entry(`k${n}`, 'x'.repeat(60_000))], nothing);
  const starts = new Set<number>();
  for (let n = 0; n < 50; n++) {
    await keyed.put([entry('small', `${n}`)], nothing);
    starts.add(keyed.partition.start);
  }
  assert.ok(starts.size <= 2, `it was rewritten ${starts.size - 1} times`);
  await log.close();
});
