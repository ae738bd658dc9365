import assert from 'node:assert/strict';
import { codeOf, LogError } from '../errors.ts';
import type { TransactionalProducer } from '../log/api.ts';
import { batchOf, committedByClient, durable } from '../log/client.fixture.ts';
import { FaultyStorage, seededRandom } from '../log/faulty-storage.ts';
import { type DirectoryLog, openDirectoryLog } from '../log/log.ts';
import { ManualClock } from '../log/manual-clock.ts';
import type { Partition } from '../log/partition.ts';
import { headerOf } from '../log/record-batch.ts';
import { settled } from './coordinator.fixture.ts';
import { offsetsPartition } from './participants.ts';
import type { ProducerIdAndEpoch } from './transaction.ts';
import type { TransactionCoordinator } from './transaction-coordinator.ts';

/**
 * For tests: producers that keep to Kafka's rules for clients, a broker's log and coordinator below them, and a witness of
 * what they were told. What must hold in the end, whatever happened on the way: a transaction that was answered as
 * committed is there whole, records and offsets; one that nobody asked to commit is not there at all; one whose answer
 * never came is there whole or not at all; and none is open.
 */
export const PARTITIONS = 2;
const TOPIC = 't';
const OFFSET = 7;
export const TIMEOUT = 60_000;

type Outcome = 'unasked' | 'unknown' | 'committed';

interface Attempt {
  readonly group: string;
  readonly values: { readonly partition: number; readonly value: string }[];
  offsets: boolean;
  /** Something failed that cannot be made good: a client only aborts then. */
  broken: boolean;
  outcome: Outcome;
}

export class Client {
  readonly transactionalId: string;
  producer: ProducerIdAndEpoch | undefined;
  attempt: Attempt | undefined;
  readonly sequences = new Map<number, number>();
  readonly added = new Set<number | 'offsets'>();

  constructor(transactionalId: string) {
    this.transactionalId = transactionalId;
  }
}

/** A producer in the broker's own process. */
export class LocalClient {
  readonly transactionalId: string;
  producer: TransactionalProducer | undefined;

  constructor(transactionalId: string) {
    this.transactionalId = transactionalId;
  }
}

export class Load {
  storage: FaultyStorage;
  readonly clock = new ManualClock();
  /** One for all of its lives: a directory never gives an id twice. */
  private readonly random = seededRandom(1);
  readonly attempts: Attempt[] = [];
  readonly ids = new Set<number>();
  log!: DirectoryLog;
  coordinator!: TransactionCoordinator;

  constructor(storage = new FaultyStorage()) {
    this.storage = storage;
  }

  async open(): Promise<void> {
    const { storage, clock, random } = this;
    const log = await openDirectoryLog({ directory: '/data', storage, clock, random });
    if (log.catalog.find(TOPIC) === undefined) await log.createTopic(TOPIC, { partitions: PARTITIONS });
    this.log = log;
    this.coordinator = await log.transactions();
  }

  async close(): Promise<void> {
    await this.log.close();
  }

  // ---- what clients do ----

  async start(client: Client): Promise<void> {
    const { transactionalId, producer: expected } = client;
    this.drop(client);
    client.producer = undefined;
    client.sequences.clear();
    client.producer = await this.coordinator.initProducerId({ transactionalId, timeoutMs: TIMEOUT, expected });
    this.ids.add(client.producer.producerId);
  }

  async produce(client: Client, partition: number): Promise<void> {
    const { producer } = client;
    if (producer === undefined || client.attempt?.outcome === 'unknown') return;
    const attempt = this.attemptOf(client);
    if (attempt.broken) return;
    await this.guarded(client, async () => {
      if (!client.added.has(partition)) {
        await this.coordinator.addPartitions(
          client.transactionalId,
          producer,
          new Map([[TOPIC, new Set([partition])]]),
        );
        client.added.add(partition);
      }
      attempt.broken = true;
      this.expectAllowed(client, TOPIC, partition);
      const value = `${attempt.group}/${attempt.values.length}`;
      const { producerId, producerEpoch: epoch } = producer;
      const sequence = client.sequences.get(partition) ?? 0;
      attempt.values.push({ partition, value });
      const there = this.partition(partition);
      const appended = there.appendFromClient(batchOf([value], { producerId, epoch, sequence, transactional: true }));
      await durable(there, appended);
      client.sequences.set(partition, sequence + 1);
      attempt.broken = false;
    });
  }

  async commitOffsets(client: Client): Promise<void> {
    const { producer } = client;
    if (producer === undefined || client.attempt?.outcome === 'unknown') return;
    const attempt = this.attemptOf(client);
    if (attempt.broken) return;
    await this.guarded(client, async () => {
      await this.coordinator.addPartitions(client.transactionalId, producer, offsetsPartition);
      attempt.broken = true;
      this.expectAllowed(client, '__consumer_offsets', 0);
      const rest = { leaderEpoch: -1, metadata: '', commitTimestamp: this.clock.now(), expireTimestamp: undefined };
      await this.log.groupOffsets.pend(producer, attempt.group, [
        { topic: TOPIC, partition: 0, offset: OFFSET, ...rest },
      ]);
      attempt.offsets = true;
      attempt.broken = false;
    });
  }

  /** Ends the client's transaction; one of which it does not know whether it committed, it can only commit again. */
  async end(client: Client, wish: boolean): Promise<void> {
    const { producer, attempt, transactionalId } = client;
    if (producer === undefined || attempt === undefined) return;
    const commit = (wish && !attempt.broken) || attempt.outcome === 'unknown';
    const before = attempt.outcome;
    if (commit) attempt.outcome = 'unknown';
    try {
      await this.coordinator.end(transactionalId, producer, commit);
      if (commit) attempt.outcome = 'committed';
      const { broken } = attempt;
      this.drop(client);
      // Its sequence numbers have a gap; it goes on with a new epoch.
      if (broken) await this.start(client);
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      if (isFinal(error)) {
        attempt.outcome = before;
        this.drop(client);
        client.producer = undefined;
      }
    }
  }

  async startLocal(client: LocalClient): Promise<void> {
    client.producer = undefined;
    client.producer = await this.log.transactionalProducer(client.transactionalId);
  }

  /** A whole transaction. What it rejects leaves open whether it is there; that it is there in part never is. */
  async publish(client: LocalClient): Promise<void> {
    const { producer, transactionalId } = client;
    if (producer === undefined) return;
    const group = `${transactionalId}.${this.attempts.length}`;
    const values = Array.from({ length: 6 }, (_, n) => ({ partition: n % PARTITIONS, value: `${group}/${n}` }));
    const attempt: Attempt = { group, values, offsets: false, broken: false, outcome: 'unknown' };
    this.attempts.push(attempt);
    const records = values.map(({ partition, value }) => ({ topic: TOPIC, partition, value: Buffer.from(value) }));
    try {
      await producer.commit(records);
      attempt.outcome = 'committed';
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      // Whoever is fenced has asked for the abort, or for nothing; a producer that failed is started again.
      client.producer = undefined;
    }
  }

  private async guarded(client: Client, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      if (!isFinal(error)) return;
      this.drop(client);
      client.producer = undefined;
    }
  }

  private attemptOf(client: Client): Attempt {
    if (client.attempt !== undefined) return client.attempt;
    const group = `${client.transactionalId}.${this.attempts.length}`;
    const attempt: Attempt = { group, values: [], offsets: false, broken: false, outcome: 'unasked' };
    this.attempts.push(attempt);
    client.attempt = attempt;
    return attempt;
  }

  private drop(client: Client): void {
    client.attempt = undefined;
    client.added.clear();
  }

  private expectAllowed({ transactionalId, producer }: Client, topic: string, partition: number): void {
    const { producerId, producerEpoch } = producer!;
    const refusal = this.coordinator.verify(transactionalId, producerId, producerEpoch, topic, partition);
    if (refusal !== undefined) throw new LogError(refusal, 'the coordinator says so');
  }

  private partition(number: number): Partition {
    return this.log.catalog.topic(TOPIC).partitions[number]!;
  }

  /** What waits for the disk may have to wait until the coordinator tries again, or for as long as is waited at all. */
  async patiently<T>(work: Promise<T>): Promise<T> {
    let over = false;
    const done = () => {
      over = true;
    };
    work.then(done, done);
    for (let turns = 0; !over; turns++) {
      await settled();
      if (turns > 5) this.clock.advance(1000);
    }
    return work;
  }

  // ---- what must hold ----

  async verify(): Promise<void> {
    for (let n = 0; n < 3; n++) {
      this.clock.advance(TIMEOUT);
      await settled();
    }
    const states = new Set(
      this.coordinator.list({ states: [], producerIds: [], durationMs: -1 }).transactions.map(({ state }) => state),
    );
    for (const state of ['Ongoing', 'PrepareCommit', 'PrepareAbort'] as const) assert.ok(!states.has(state), state);
    const seen = new Map<string, number>();
    for (let number = 0; number < PARTITIONS; number++) {
      const partition = this.partition(number);
      assert.equal(partition.error, undefined, partition.error?.message);
      assert.equal(partition.lastStableOffset, partition.highWatermark, 'a transaction hangs open');
      for (const value of committedByClient(partition)) {
        assert.ok(!seen.has(value), `${value} is there twice`);
        seen.set(value, number);
      }
      verifyMarkers(partition);
    }
    for (const attempt of this.attempts) this.verifyAttempt(attempt, seen);
    assert.equal(seen.size, 0, `nobody committed ${[...seen.keys()]}`);
    const { producerId } = await this.coordinator.initProducerId({
      transactionalId: null,
      timeoutMs: 0,
      expected: undefined,
    });
    assert.ok(!this.ids.has(producerId), `the producer id ${producerId} was given before`);
  }

  private verifyAttempt({ group, values, offsets, outcome }: Attempt, seen: Map<string, number>): void {
    const found = values.filter(({ value, partition }) => seen.get(value) === partition).length;
    const offset = this.log.groupOffsets.find({ group, topic: TOPIC, partition: 0 })?.offset;
    assert.deepEqual(this.log.groupOffsets.unstable(group), [], 'offsets hang in a transaction');
    const whole = found === values.length && (offset === OFFSET) === offsets;
    const nothing = found === 0 && offset === undefined;
    const told = `${group} (${outcome}) has ${found} of ${values.length} values and its offset is ${offset} (${offsets})`;
    if (outcome === 'committed') assert.ok(whole, told);
    else if (outcome === 'unasked') assert.ok(nothing, told);
    else assert.ok(whole || nothing, told);
    for (const { value } of values) seen.delete(value);
  }
}

/** Each marker ends something: none is written twice. */
function verifyMarkers(partition: Partition): void {
  const open = new Set<number>();
  for (let offset = partition.start; offset < partition.highWatermark; ) {
    partition.eachBatch(offset, 1, (bytes, at) => {
      const { attributes, producerId, lastOffsetDelta } = headerOf(bytes, at);
      if ((attributes & 0x20) === 0) open.add(producerId);
      else assert.ok(open.delete(producerId), `offset ${offset}: a marker of producer ${producerId} ends nothing`);
      offset += lastOffsetDelta + 1;
    });
  }
}

function isFinal(error: LogError): boolean {
  return ['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH', 'INVALID_PRODUCER_ID_MAPPING', 'INVALID_TXN_STATE'].includes(
    codeOf(error),
  );
}
