import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Log, RecordMetadata } from './api.ts';
import { FaultyStorage, seededRandom } from './faulty-storage.ts';
import { openLog } from './log.ts';
import { ManualClock } from './manual-clock.ts';

/**
 * Power cuts at every storage operation of a scripted load, with several ways in which unsynced bytes and names are
 * lost or torn. What was acknowledged, or shown to a reader, must be there afterwards, at its offset, in order, and
 * nothing that was never sent; and no cut may look like corruption.
 */
const DIRECTORY = '/data';
const TOPIC = 'events';
const PARTITIONS = 2;
const FIRST_TIME = 1_700_000_000_000;

/** What the outside world was told. */
class Witness {
  readonly sent = new Map<string, number>();
  readonly acked = new Map<string, RecordMetadata>();
  readonly shown = new Map<number, number>();
  readonly committing: number[] = [];
  committed = -1;
  created = false;
  /** Retention may have let go what is older. */
  trimmed = false;
  otherTopic: 'absent' | 'creating' | 'there' | 'deleting' = 'absent';
  sequence = 0;
  /** Sent after a recovery. */
  again = 0;

  async send(log: Log, producer: ReturnType<Log['producer']>, partition: number, bytes: number): Promise<void> {
    const name = `${this.sequence++}:`;
    const value = name.padEnd(bytes, 'x');
    this.sent.set(value, partition);
    const timestamp = FIRST_TIME + this.sequence;
    const metadata = await producer.send({ topic: TOPIC, partition, timestamp, value: Buffer.from(value) });
    this.acked.set(value, metadata);
    assert.ok(log.offsets(TOPIC, partition).latest > metadata.offset, 'acknowledged means readable');
  }

  async commit(log: Log, offset: number): Promise<void> {
    this.committing.push(offset);
    await log.commitOffsets('group', TOPIC, new Map([[0, offset]]));
    this.committed = offset;
  }

  watch(log: Log): void {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const look = () => this.shown.set(partition, log.offsets(TOPIC, partition).latest);
      log.onAppend(TOPIC, partition, look);
    }
  }
}

function open(storage: FaultyStorage, clock: ManualClock, seed: number): Promise<Log> {
  return openLog({ directory: DIRECTORY, storage, clock, random: seededRandom(seed), retentionCheckInterval: 60_000 });
}

/** Rolls segments, trims, creates and deletes, commits, closes and opens again: every kind of write there is. */
async function load(storage: FaultyStorage, clock: ManualClock, witness: Witness): Promise<void> {
  let log = await open(storage, clock, 1);
  await log.createTopic(TOPIC, { partitions: PARTITIONS, config: { 'segment.bytes': 2000 } });
  witness.created = true;
  witness.watch(log);
  let producer = log.producer({ batchSize: 700 });
  for (let round = 0; round < 5; round++) {
    await Promise.all([300, 40, 900, 10, 200].map((bytes, n) => witness.send(log, producer, n % PARTITIONS, bytes)));
    await witness.commit(log, round);
    if (round % 2 === 0) clock.advance(20);
    await settled();
  }
  witness.otherTopic = 'creating';
  await log.createTopic('other');
  witness.otherTopic = 'there';
  await log.alterTopic(TOPIC, { 'retention.bytes': 2500 });
  witness.trimmed = true;
  clock.advance(60_000);
  await settled();
  await Promise.all([1500, 20, 20].map((bytes, n) => witness.send(log, producer, n % PARTITIONS, bytes)));
  await log.commitOffsets('group', 'other', new Map([[0, 0]]));
  witness.otherTopic = 'deleting';
  await log.deleteTopic('other');
  witness.otherTopic = 'absent';
  await log.close();
  log = await open(storage, clock, 2);
  witness.watch(log);
  producer = log.producer({ lingerMs: 5 });
  const late = Promise.all([30, 800, 30].map((bytes, n) => witness.send(log, producer, n % PARTITIONS, bytes)));
  clock.advance(5);
  await late;
  clock.advance(20);
  await settled();
  await log.close();
}

/** Lets everything that waits for nothing but promises happen. */
async function settled(): Promise<void> {
  for (let n = 0; n < 80; n++) await undefined;
}

async function verify(storage: FaultyStorage, clock: ManualClock, witness: Witness): Promise<void> {
  const log = await open(storage, clock, 3);
  if (witness.created) assert.ok(log.topics().includes(TOPIC), 'an acknowledged topic is there');
  if (witness.otherTopic === 'there') assert.ok(log.topics().includes('other'));
  if (witness.otherTopic === 'absent') assert.ok(!log.topics().includes('other'));
  if (!log.topics().includes('other')) {
    assert.equal(log.committedOffsets('group', 'other').size, 0);
    const left = storage.list(DIRECTORY).includes('other-0') ? storage.list(`${DIRECTORY}/other-0`) : [];
    assert.ok(!left.some((name) => name.endsWith('.log')), 'its records are not left for ever');
  }
  if (log.topics().includes(TOPIC)) {
    for (let partition = 0; partition < PARTITIONS; partition++) verifyPartition(log, partition, witness);
    const committed = log.committedOffsets('group', TOPIC).get(0) ?? -1;
    assert.ok(committed >= witness.committed, `committed ${witness.committed}, found ${committed}`);
    if (committed >= 0) assert.ok(witness.committing.includes(committed));
    const again = await log.producer().send({
      topic: TOPIC,
      partition: 0,
      timestamp: FIRST_TIME + 1000 + witness.again++,
      value: Buffer.from('again'),
    });
    assert.equal(again.offset, log.offsets(TOPIC, 0).latest - 1);
    witness.sent.set('again', 0);
    witness.acked.set('again', again);
  }
  await log.close();
}

function verifyPartition(log: Log, partition: number, witness: Witness): void {
  const described = log.describeTopic(TOPIC).partitions[partition]!;
  assert.equal(described.error, undefined, `a power cut is no corruption: ${described.error?.message}`);
  const { earliest, latest } = described;
  if (!witness.trimmed) assert.equal(earliest, 0);
  assert.ok(latest >= (witness.shown.get(partition) ?? 0), 'what a reader saw is still there');
  const found = new Map<number, string>();
  let sequence = -1;
  for (let offset = earliest; offset < latest; ) {
    const { records, nextOffset } = log.read(TOPIC, partition, offset, 1000);
    for (const record of records) {
      const value = Buffer.from(record.value!).toString();
      assert.equal(record.offset, earliest + found.size, 'offsets have no holes');
      assert.equal(log.offsetForTime(TOPIC, partition, record.timestamp), record.offset, 'and are found by time');
      assert.equal(witness.sent.get(value), partition, `never sent here: ${value.slice(0, 20)}`);
      if (value !== 'again') {
        const number = Number(value.split(':')[0]);
        assert.ok(number > sequence, 'in the order sent, none twice');
        sequence = number;
      }
      found.set(record.offset, value);
    }
    offset = nextOffset;
  }
  for (const [value, metadata] of witness.acked) {
    if (metadata.partition !== partition || metadata.offset < earliest) continue;
    assert.equal(found.get(metadata.offset), value, `acknowledged at ${metadata.offset} and lost`);
  }
}

async function loadUntilCut(storage: FaultyStorage, clock: ManualClock, witness: Witness): Promise<void> {
  try {
    await load(storage, clock, witness);
  } catch (error) {
    if (storage.cutAt === undefined) throw error;
    if (error instanceof assert.AssertionError) throw error;
  }
}

test('a power cut at any operation loses nothing acknowledged, invents nothing, and looks like no corruption', async () => {
  const calm = new FaultyStorage();
  const calmWitness = new Witness();
  await load(calm, new ManualClock(), calmWitness);
  await verify(calm, new ManualClock(), calmWitness);
  const operations = calm.operations;
  assert.ok(operations > 150, `the load has only ${operations} operations`);
  for (let cutAt = 1; cutAt <= operations; cutAt++) {
    for (let seed = 0; seed < 2; seed++) {
      const storage = new FaultyStorage();
      const clock = new ManualClock();
      const witness = new Witness();
      storage.cutAt = cutAt;
      await loadUntilCut(storage, clock, witness);
      const random = seededRandom(cutAt * 1000 + seed);
      try {
        let found = storage.afterPowerCut(random);
        if (seed % 2 === 1) found = await cutDuringRecovery(found, clock, random);
        await verify(found, clock, witness);
        await verify(found.afterPowerCut(random), clock, witness);
      } catch (error) {
        throw new Error(`cut at operation ${cutAt} of ${operations}, seed ${seed}`, { cause: error });
      }
    }
  }
});

async function cutDuringRecovery(
  storage: FaultyStorage,
  clock: ManualClock,
  random: () => number,
): Promise<FaultyStorage> {
  storage.cutAt = 1 + Math.floor(random() * 25);
  try {
    await (await open(storage, clock, 4)).close();
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
  }
  return storage.afterPowerCut(random);
}

test('a process killed at any operation loses nothing that it had written', async () => {
  const calm = new FaultyStorage();
  await load(calm, new ManualClock(), new Witness());
  for (let cutAt = 1; cutAt <= calm.operations; cutAt++) {
    const storage = new FaultyStorage();
    const clock = new ManualClock();
    const witness = new Witness();
    storage.cutAt = cutAt;
    await loadUntilCut(storage, clock, witness);
    const found = storage.afterKill();
    await verify(found, clock, witness);
    // What recovery vouched for must be on the disk, also if the dead process never synced it.
    await verify(found.afterPowerCut(seededRandom(cutAt)), clock, witness);
  }
});
