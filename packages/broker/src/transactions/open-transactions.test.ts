import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStorage, seededRandom } from '../log/faulty-storage.ts';
import { openDirectoryLog } from '../log/log.ts';
import { ManualClock } from '../log/manual-clock.ts';

const clock = new ManualClock();

// One for all logs: a directory never sees the same id twice.
const random = seededRandom(1);

function open(storage: FaultyStorage) {
  return openDirectoryLog({ directory: '/data', storage, clock, random });
}

async function start(log: Awaited<ReturnType<typeof open>>) {
  const coordinator = await log.transactions();
  const producer = await coordinator.initProducerId({ transactionalId: 'a', timeoutMs: 1000, expected: undefined });
  return { producer };
}

test('a directory that knew no transactions gets its log of them, and no topic loses its place', async () => {
  const storage = new FaultyStorage();
  const old = await open(storage);
  for (const name of ['x', 'y', 'z']) await old.createTopic(name, { partitions: 3 });
  await old.deleteTopic('y');
  await old.producer().send({ topic: 'z', partition: 2, value: Buffer.from('kept') });
  await old.close();
  let log = await open(storage);
  await start(log);
  await log.createTopic('later', { partitions: 2 });
  await log.producer().send({ topic: 'later', partition: 1, value: Buffer.from('too') });
  await log.close();
  log = await open(storage.afterPowerCut(seededRandom(3)));
  const again = await start(log);
  assert.deepEqual(again.producer, { producerId: 1, producerEpoch: 1 });
  assert.deepEqual(log.topics(), ['later', 'x', 'z']);
  assert.deepEqual(
    [...log.read('z', 2, 0).records, ...log.read('later', 1, 0).records].map(({ value }) =>
      String(Buffer.from(value!)),
    ),
    ['kept', 'too'],
  );
  await assert.rejects(log.createTopic('__transaction_state'), { code: 'INVALID_TOPIC_EXCEPTION' });
  await log.close();
});

test('a log that is never asked for transactions makes nothing for them', async () => {
  const storage = new FaultyStorage();
  const log = await open(storage);
  await log.close();
  assert.ok(!storage.list('/data').includes('__transaction_state-0'));
});

test('what is partly made when the power goes is made anew', async () => {
  const calm = new FaultyStorage();
  const log = await open(calm);
  const before = calm.operations;
  await start(log);
  assert.ok(calm.operations > before + 5);
  for (let cutAt = before + 1; cutAt <= calm.operations; cutAt++) {
    const storage = new FaultyStorage();
    storage.cutAt = cutAt;
    const cut = await open(storage);
    await start(cut).catch(() => undefined);
    const found = await open(storage.afterPowerCut(seededRandom(cutAt)));
    const { producer } = await start(found);
    assert.ok(producer.producerId >= 1, `cut at ${cutAt}`);
    await found.close();
  }
});

test('damage to the log of transactions is said, and nothing is served from it', async () => {
  const storage = new FaultyStorage();
  const log = await open(storage);
  await start(log);
  await log.close();
  storage.flip('/data/__transaction_state-0/00000000000000000000.log', 70);
  const damaged = await open(storage);
  await assert.rejects(start(damaged), { code: 'CORRUPT_MESSAGE', message: /__transaction_state/ });
  await damaged.close();
});
