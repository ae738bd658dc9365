import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchOf, committedByClient, durable, NOW, reopened, valuesIn } from './client.fixture.ts';
import { FaultyStorage, seededRandom } from './faulty-storage.ts';
import { openDirectoryLog } from './log.ts';
import { ManualClock } from './manual-clock.ts';
import type { Partition } from './partition.ts';
import { baseOffsetOf, claimedSize, isControl, producerOf } from './record-batch.ts';

/**
 * Power cuts, and kills, at every storage operation of idempotent and transactional producers' work, over rolled and
 * deleted segments and a reopening. Afterwards nothing acknowledged is lost, what is sent again is not doubled, a
 * transaction without a marker is still open, and readers see the committed records, all of them and no others.
 */
interface Transaction {
  readonly producerId: number;
  state: 'open' | 'committing' | 'committed' | 'aborting' | 'aborted';
}

interface Sent {
  readonly sequence: number;
  readonly value: string;
  readonly transaction: Transaction | undefined;
  /** Where it was acknowledged. */
  offset?: number;
}

class Client {
  readonly producerId: number;
  readonly sent: Sent[] = [];
  transaction: Transaction | undefined;

  constructor(producerId: number) {
    this.producerId = producerId;
  }

  begin(): void {
    this.transaction = { producerId: this.producerId, state: 'open' };
  }

  async send(partition: Partition, bytes: number): Promise<void> {
    const sequence = this.sent.length;
    const value = `${this.producerId}.${sequence}.`.padEnd(bytes, 'x');
    const one: Sent = { sequence, value, transaction: this.transaction };
    this.sent.push(one);
    await this.deliver(partition, one);
  }

  async deliver(partition: Partition, one: Sent): Promise<void> {
    const { producerId } = this;
    const transactional = one.transaction !== undefined;
    const batch = batchOf([one.value], { producerId, sequence: one.sequence, transactional });
    const appended = partition.appendFromClient(batch);
    await durable(partition, appended);
    if (one.offset !== undefined) assert.equal(appended.baseOffset, one.offset, 'sent again, and the same answer');
    one.offset = appended.baseOffset;
  }

  async end(partition: Partition, commit: boolean): Promise<void> {
    const transaction = this.transaction!;
    this.transaction = undefined;
    transaction.state = commit ? 'committing' : 'aborting';
    await mark(partition, transaction);
  }
}

async function mark(partition: Partition, transaction: Transaction): Promise<void> {
  const commit = transaction.state === 'committing';
  const { producerId } = transaction;
  await durable(partition, partition.appendMarker({ producerId, producerEpoch: 0, coordinatorEpoch: 0, commit }));
  transaction.state = commit ? 'committed' : 'aborted';
}

class Witness {
  readonly plain = new Client(1);
  readonly one = new Client(2);
  readonly two = new Client(3);
  created = false;
  deletedBefore = 0;
  /** The greatest last stable offset that a reader was told. */
  stable = 0;

  get clients(): Client[] {
    return [this.plain, this.one, this.two];
  }

  watch(partition: Partition): void {
    partition.onAppend(() => {
      assert.ok(partition.lastStableOffset >= this.stable, 'the last stable offset never goes back');
      this.stable = partition.lastStableOffset;
    });
  }
}

async function load(storage: FaultyStorage, clock: ManualClock, witness: Witness): Promise<void> {
  const { plain, one, two } = witness;
  const first = await openDirectoryLog({ directory: '/data', storage, clock, random: seededRandom(1) });
  await first.createTopic('t', { config: { 'segment.bytes': 600 } });
  witness.created = true;
  const partition = first.catalog.topic('t').partitions[0]!;
  witness.watch(partition);
  for (let round = 0; round < 3; round++) {
    one.begin();
    two.begin();
    await Promise.all([plain.send(partition, 60), one.send(partition, 90), plain.send(partition, 10)]);
    await Promise.all([two.send(partition, 20), one.send(partition, 10), plain.send(partition, 10)]);
    await one.end(partition, round % 2 === 1);
    if (round === 1) clock.advance(20);
    await plain.send(partition, 100);
    await two.end(partition, round % 2 === 0);
  }
  two.begin();
  await two.send(partition, 200);
  witness.deletedBefore = 6;
  await partition.deleteRecordsBefore(6);
  await first.close();
  const second = await reopened(storage, clock);
  witness.watch(second.partition);
  one.begin();
  await Promise.all([
    one.send(second.partition, 300),
    plain.send(second.partition, 300),
    two.send(second.partition, 50),
  ]);
  await one.end(second.partition, false);
  for (const bytes of [400, 400, 10]) await plain.send(second.partition, bytes);
  clock.advance(20);
  await plain.send(second.partition, 30);
  await second.log.close();
}

interface Kept {
  readonly offset: number;
  readonly name: string;
}

function everything(partition: Partition): Kept[] {
  const kept: Kept[] = [];
  for (let offset = partition.start; offset < partition.highWatermark; ) {
    const read = partition.readBatches(offset, 500);
    for (const bytes of read.batches) {
      for (let at = 0; at < bytes.length; at += claimedSize(bytes, at)) {
        const producer = producerOf(bytes, at)!;
        const name = isControl(bytes, at) ? 'marker' : `${producer.producerId}.${producer.firstSequence}`;
        kept.push({ offset: baseOffsetOf(bytes, at), name });
      }
    }
    offset = read.nextOffset;
  }
  return kept;
}

function expectKept(partition: Partition, { clients }: Witness): void {
  const kept = everything(partition);
  const names = kept.map(({ name }) => name).filter((name) => name !== 'marker');
  assert.equal(new Set(names).size, names.length, 'nothing stands there twice');
  for (const { producerId, sent } of clients) {
    for (const { sequence, offset } of sent) {
      if (offset === undefined || offset < partition.start) continue;
      const name = `${producerId}.${sequence}`;
      assert.equal(kept.find((one) => one.offset === offset)?.name, name, `acknowledged at ${offset} and lost`);
    }
  }
}

function expectVisible(partition: Partition, { clients }: Witness, settled: boolean): void {
  const visible = valuesIn(partition);
  assert.deepEqual(committedByClient(partition), visible, 'clients see what this process sees');
  const all = clients.flatMap(({ sent }) => sent);
  for (const value of visible) {
    const state = all.find((one) => one.value === value)!.transaction?.state;
    assert.ok(state === undefined || state.startsWith('commit'), `${value.slice(0, 5)} is seen and ${state}`);
  }
  if (!settled) return;
  const committed = all.filter(({ transaction }) => transaction === undefined || transaction.state === 'committed');
  const readable = committed.filter(({ offset }) => offset! >= partition.start);
  readable.sort((a, b) => a.offset! - b.offset!);
  assert.deepEqual(
    visible,
    readable.map(({ value }) => value),
  );
}

async function verify(storage: FaultyStorage, witness: Witness): Promise<void> {
  const log = await openDirectoryLog({ directory: '/data', storage, clock: new ManualClock(NOW) });
  if (!log.topics().includes('t')) return assert.equal(witness.created, false);
  const partition = log.catalog.topic('t').partitions[0]!;
  assert.equal(partition.error, undefined, `a power cut is no corruption: ${partition.error?.message}`);
  assert.ok(partition.start <= witness.deletedBefore);
  assert.ok(partition.lastStableOffset >= witness.stable, 'what a reader was told stays');
  for (const { producerId, sent, transaction } of witness.clients) {
    const wrote = sent.some((one) => one.transaction === transaction && one.offset !== undefined);
    if (transaction !== undefined && wrote) assert.ok(partition.hasOpenTransaction(producerId), 'still open');
  }
  expectKept(partition, witness);
  expectVisible(partition, witness, false);
  for (const client of witness.clients) {
    for (const one of client.sent.slice(-5)) await client.deliver(partition, one);
  }
  for (const client of witness.clients) {
    if (client.transaction !== undefined) await client.end(partition, false);
    for (const { transaction } of client.sent) {
      if (transaction?.state.endsWith('ing')) await mark(partition, transaction);
    }
  }
  assert.equal(partition.lastStableOffset, partition.highWatermark);
  witness.stable = partition.lastStableOffset;
  expectKept(partition, witness);
  expectVisible(partition, witness, true);
  await log.close();
}

async function cutAt(operation: number, witness: Witness): Promise<FaultyStorage> {
  const storage = new FaultyStorage();
  storage.cutAt = operation;
  try {
    await load(storage, new ManualClock(NOW), witness);
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
  }
  return storage;
}

async function operations(): Promise<number> {
  const calm = new FaultyStorage();
  const witness = new Witness();
  await load(calm, new ManualClock(NOW), witness);
  await verify(calm, witness);
  assert.ok(calm.operations > 150, `the load has only ${calm.operations} operations`);
  return calm.operations;
}

test('a power cut at any operation loses and doubles no batch, and shows no record that is not committed', async () => {
  const last = await operations();
  for (let operation = 1; operation <= last; operation++) {
    for (let seed = 0; seed < 2; seed++) {
      const witness = new Witness();
      const random = seededRandom(operation * 1000 + seed);
      let found = (await cutAt(operation, witness)).afterPowerCut(random);
      try {
        if (seed === 1) {
          found.cutAt = 1 + Math.floor(random() * 25);
          await reopened(found).catch(() => undefined);
          found = found.afterPowerCut(random);
        }
        await verify(found, witness);
        await verify(found.afterPowerCut(random), witness);
      } catch (error) {
        throw new Error(`cut at operation ${operation} of ${last}, seed ${seed}`, { cause: error });
      }
    }
  }
});

test('a process killed at any operation leaves the same, and what recovery vouched for survives a power cut', async () => {
  const last = await operations();
  for (let operation = 1; operation <= last; operation++) {
    const witness = new Witness();
    const found = (await cutAt(operation, witness)).afterKill();
    try {
      await verify(found, witness);
      await verify(found.afterPowerCut(seededRandom(operation)), witness);
    } catch (error) {
      throw new Error(`killed at operation ${operation} of ${last}`, { cause: error });
    }
  }
});
