import assert from 'node:assert/strict';
import { errorNumber, type LogErrorCode } from '../errors.ts';
import type { LogRecord } from '../log/api.ts';
import { decodeRecords, endOffsetOf, headerOf } from '../log/record-batch.ts';
import { markerIn } from '../log/transaction-marker.ts';
import type { Api, ReadOf, Shape, WriteOf } from '../protocol/message.ts';
import { OffsetCommit, OffsetFetch } from '../protocol/messages/groups.ts';
import { Fetch, Produce } from '../protocol/messages/records.ts';
import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  EndTxn,
  InitProducerId,
  TxnOffsetCommit,
} from '../protocol/messages/transactions.ts';
import { batchOf } from './broker.fixture.ts';

/**
 * Clients under whom a broker dies again and again, and what must hold afterwards. They do what good clients do: ask
 * again what was not answered, with the same sequence numbers, and note what the broker has promised.
 */
export interface Caller {
  call<Q extends Shape, A extends Shape>(api: Api<Q, A>, version: number, request: WriteOf<Q>): Promise<ReadOf<A>>;
}

/** Connects, waiting for the broker to come back if need be; nothing when the load is over. */
export type Connect = () => Promise<Caller | undefined>;

const TOPIC = 't';
export const PARTITIONS = 3;
const TRANSACTIONAL = ['x0', 'x1'];
const NOT_NOW: ReadonlySet<number> = new Set(
  (['CONCURRENT_TRANSACTIONS', 'COORDINATOR_NOT_AVAILABLE', 'KAFKA_STORAGE_ERROR', 'NOT_COORDINATOR'] as const).map(
    (code) => errorNumber(code satisfies LogErrorCode),
  ),
);

class Over extends Error {}

/** One client's way to the broker: asks until it is answered. */
class Line {
  private readonly connect: Connect;
  private caller: Caller | undefined;

  constructor(connect: Connect) {
    this.connect = connect;
  }

  /** `errorsOf` gives the error numbers in a response; what can only be told later is asked again. */
  async ask<Q extends Shape, A extends Shape>(
    api: Api<Q, A>,
    version: number,
    request: WriteOf<Q>,
    errorsOf: (response: ReadOf<A>) => number[],
  ): Promise<ReadOf<A>> {
    for (;;) {
      this.caller ??= await this.connect();
      if (this.caller === undefined) throw new Over();
      try {
        const response = await this.caller.call(api, version, request);
        if (!errorsOf(response).some((code) => NOT_NOW.has(code))) return response;
        await new Promise((resolve) => setImmediate(resolve));
      } catch {
        this.caller = undefined;
      }
    }
  }
}

/** What the broker has promised to whom. */
export class Witness {
  /** Value → [partition, offset]: acknowledged, outside of transactions. */
  readonly acked = new Map<string, readonly [number, number]>();
  readonly committed = new Set<string>();
  readonly aborted = new Set<string>();
  /** Each one's values, in the order sent, by producer and partition. */
  readonly sent = new Map<string, string[]>();
  /** Group → the offset whose commit was answered. */
  readonly offsets = new Map<string, number>();
  /** By partition, in the order in which a consumer read them. */
  readonly consumed: string[][] = Array.from({ length: PARTITIONS }, () => []);
  promises = 0;
  onPromise: () => void = () => {};
  private waiting: () => void = () => {};

  /** Resolves when so many more promises have been made. */
  more(count: number): Promise<void> {
    const until = this.promises + count;
    return new Promise((resolve) => {
      this.waiting = () => {
        if (this.promises >= until) resolve();
      };
    });
  }

  promised(): void {
    this.promises++;
    this.onPromise();
    this.waiting();
  }

  sends(producer: string, partition: number, count: number): string[] {
    const key = `${producer}-${partition}`;
    const list = this.sent.get(key) ?? [];
    this.sent.set(key, list);
    const values = Array.from({ length: count }, (_, n) => `${key}-${list.length + n}`);
    list.push(...values);
    return values;
  }
}

/** Runs until `connect` gives nothing any more. */
export async function load(connect: Connect, witness: Witness, random: () => number): Promise<void> {
  const clients = [
    idempotent(new Line(connect), 'i0', witness, random),
    idempotent(new Line(connect), 'i1', witness, random),
    ...TRANSACTIONAL.map((name) => transactional(new Line(connect), name, witness, random)),
    commits(new Line(connect), 'g', witness),
    consumer(new Line(connect), witness),
  ];
  const ends = await Promise.allSettled(clients);
  for (const end of ends) if (end.status === 'rejected' && !(end.reason instanceof Over)) throw end.reason;
}

const upTo = (random: () => number, most: number) => 1 + Math.floor(random() * most);

async function producerId(line: Line, transactionalId: string | null) {
  const request = { transactionalId, transactionTimeoutMs: 60_000 };
  const { errorCode, ...id } = await line.ask(InitProducerId, 4, request, (response) => [response.errorCode]);
  assert.equal(errorCode, 0, `InitProducerId: ${errorCode}`);
  return id;
}

interface Sending {
  readonly transactionalId?: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly sequences: number[];
}

async function send(line: Line, from: Sending, partition: number, values: string[]): Promise<number> {
  const { transactionalId = null, producerId, producerEpoch, sequences } = from;
  const attributes = transactionalId === null ? 0 : 0x10;
  const records = batchOf(values, { producerId, producerEpoch, baseSequence: sequences[partition]!, attributes });
  const topicData = [{ name: TOPIC, partitionData: [{ index: partition, records }] }];
  const request = { transactionalId, acks: -1, timeoutMs: 30_000, topicData };
  const { responses } = await line.ask(Produce, 9, request, (response) => [
    response.responses[0]!.partitionResponses[0]!.errorCode,
  ]);
  const { errorCode, baseOffset, errorMessage } = responses[0]!.partitionResponses[0]!;
  assert.equal(errorCode, 0, `Produce: ${errorCode} ${errorMessage}`);
  sequences[partition]! += values.length;
  return baseOffset;
}

async function idempotent(line: Line, name: string, witness: Witness, random: () => number): Promise<never> {
  const from = { ...(await producerId(line, null)), sequences: Array(PARTITIONS).fill(0) };
  for (;;) {
    const partition = Math.floor(random() * PARTITIONS);
    const values = witness.sends(name, partition, upTo(random, 4));
    const base = await send(line, from, partition, values);
    for (const [n, value] of values.entries()) witness.acked.set(value, [partition, base + n]);
    witness.promised();
  }
}

async function transactional(line: Line, name: string, witness: Witness, random: () => number): Promise<never> {
  const begin = async () => ({
    transactionalId: name,
    ...(await producerId(line, name)),
    sequences: Array(PARTITIONS).fill(0),
  });
  let from = await begin();
  for (let n = 1; ; n++) {
    const { sequences: _, ...own } = from;
    const values: string[] = [];
    const partitions = [0, 1, 2].filter(() => random() < 0.6);
    if (partitions.length === 0) continue;
    const added = await line.ask(
      AddPartitionsToTxn,
      3,
      addedPartitions(own, partitions),
      ({ resultsByTopicV3AndBelow }) =>
        resultsByTopicV3AndBelow.flatMap((topic) => topic.resultsByPartition.map((one) => one.partitionErrorCode)),
    );
    assert.equal(added.resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode, 0);
    for (const partition of partitions) {
      const more = witness.sends(name, partition, upTo(random, 3));
      values.push(...more);
      await send(line, from, partition, more);
    }
    const group = `group-${name}`;
    const withOffsets = random() < 0.5;
    if (withOffsets) await commitWithin(line, own, group, n);
    const fate = random();
    if (fate < 0.1) {
      // As if it had been started anew: what was open is aborted.
      from = await begin();
      for (const value of values) witness.aborted.add(value);
      witness.promised();
      continue;
    }
    const committed = fate < 0.7;
    const ended = await line.ask(EndTxn, 3, { ...own, committed }, ({ errorCode }) => [errorCode]);
    assert.equal(ended.errorCode, 0, `EndTxn: ${ended.errorCode}`);
    for (const value of values) (committed ? witness.committed : witness.aborted).add(value);
    if (committed && withOffsets) witness.offsets.set(group, n);
    witness.promised();
  }
}

interface Own {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly producerEpoch: number;
}

function addedPartitions({ transactionalId, producerId, producerEpoch }: Own, partitions: number[]) {
  return {
    v3AndBelowTransactionalId: transactionalId,
    v3AndBelowProducerId: producerId,
    v3AndBelowProducerEpoch: producerEpoch,
    v3AndBelowTopics: [{ name: TOPIC, partitions }],
  };
}

async function commitWithin(line: Line, own: Own, groupId: string, offset: number): Promise<void> {
  const { errorCode } = await line.ask(AddOffsetsToTxn, 3, { ...own, groupId }, (response) => [response.errorCode]);
  assert.equal(errorCode, 0);
  const partitions = [{ partitionIndex: 0, committedOffset: offset, committedMetadata: '' }];
  const request = { ...own, groupId, topics: [{ name: TOPIC, partitions }] };
  const { topics } = await line.ask(TxnOffsetCommit, 3, request, (response) => [
    response.topics[0]!.partitions[0]!.errorCode,
  ]);
  assert.equal(topics[0]!.partitions[0]!.errorCode, 0);
}

/** A consumer's commits: offsets that only grow. */
async function commits(line: Line, group: string, witness: Witness): Promise<never> {
  for (let offset = 1; ; offset++) {
    const found = await committedOffset(line, group);
    assert.ok(found >= (witness.offsets.get(group) ?? -1), `the group's offset went back to ${found}`);
    const partitions = [{ partitionIndex: 0, committedOffset: offset, committedMetadata: null }];
    const request = { groupId: group, memberId: '', topics: [{ name: TOPIC, partitions }] };
    const { topics } = await line.ask(OffsetCommit, 8, request, (response) => [
      response.topics[0]!.partitions[0]!.errorCode,
    ]);
    assert.equal(topics[0]!.partitions[0]!.errorCode, 0);
    witness.offsets.set(group, offset);
    witness.promised();
  }
}

/** Reads on and on; what it has seen once must stay as it was. */
async function consumer(line: Line, witness: Witness): Promise<never> {
  const positions = witness.consumed.map(() => 0);
  for (;;) {
    for (const [partition, position] of positions.entries()) {
      const { records, next } = await readCommitted(line, partition, position);
      positions[partition] = next;
      witness.consumed[partition]!.push(...records.map(textOf));
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const textOf = ({ value }: LogRecord): string => Buffer.from(value!).toString();

async function committedOffset(line: Line, groupId: string): Promise<number> {
  const request = { groupId, topics: [{ name: TOPIC, partitionIndexes: [0] }], requireStable: false };
  const { topics } = await line.ask(OffsetFetch, 7, request, (response) => [response.errorCode]);
  return topics[0]!.partitions[0]!.committedOffset;
}

// ---- what must hold ----

/** Nothing acknowledged is lost, none is there twice, nothing aborted is seen, and order is kept. */
export async function verify(connect: Connect, witness: Witness): Promise<void> {
  const line = new Line(connect);
  // What was left open is aborted, so that nothing is held back.
  for (const name of TRANSACTIONAL) await producerId(line, name);
  const seen = new Map<string, number>();
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const { records } = await readCommitted(line, partition);
    const found = records.map(textOf);
    const consumed = witness.consumed[partition]!;
    assert.deepEqual(
      consumed,
      found.slice(0, consumed.length),
      'what a consumer has read is there, and nothing before it',
    );
    const last = new Map<string, number>();
    for (const [n, { offset }] of records.entries()) {
      const text = found[n]!;
      assert.ok(!seen.has(text), `${text} is there twice`);
      assert.ok(!witness.aborted.has(text), `${text} was aborted and is seen`);
      seen.set(text, offset);
      const [producer, , number] = text.split('-');
      assert.ok(Number(number) > (last.get(producer!) ?? -1), `${text} is out of order`);
      last.set(producer!, Number(number));
    }
  }
  for (const [value, [, offset]] of witness.acked) assert.equal(seen.get(value), offset, `${value} was acknowledged`);
  for (const value of witness.committed) assert.ok(seen.has(value), `${value} was committed and is lost`);
  for (const [group, offset] of witness.offsets) {
    const found = await committedOffset(line, group);
    assert.ok(found >= offset, `the offset of ${group} is ${found}; ${offset} was committed`);
  }
}

/** The committed records of a partition from an offset to the last stable one; `next` is where to go on. */
async function readCommitted(line: Line, partition: number, from = 0): Promise<{ records: LogRecord[]; next: number }> {
  const records: LogRecord[] = [];
  for (let offset = from; ; ) {
    const topics = [{ topic: TOPIC, partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: 100_000 }] }];
    const request = { maxWaitMs: 0, minBytes: 0, isolationLevel: 1, topics, forgottenTopicsData: [] };
    const { responses } = await line.ask(Fetch, 11, request, (response) => [
      response.responses[0]!.partitions[0]!.errorCode,
    ]);
    const { errorCode, records: bytes, abortedTransactions, lastStableOffset } = responses[0]!.partitions[0]!;
    assert.equal(errorCode, 0, `Fetch: ${errorCode}`);
    const starts = [...(abortedTransactions ?? [])].sort((a, b) => a.firstOffset - b.firstOffset);
    const aborting = new Set<number>();
    for (let at = 0; at < (bytes?.length ?? 0); ) {
      const header = headerOf(bytes!, at);
      const asked = offset;
      offset = endOffsetOf(bytes!, at);
      while (starts.length > 0 && starts[0]!.firstOffset < offset) aborting.add(starts.shift()!.producerId);
      const marker = markerIn(bytes!, at);
      if (marker !== undefined) aborting.delete(marker.producerId);
      else if ((header.attributes & 0x10) === 0 || !aborting.has(header.producerId))
        decodeRecords(bytes!, at, asked, records);
      at += header.size;
    }
    if (offset >= lastStableOffset) return { records, next: offset };
    assert.ok((bytes?.length ?? 0) > 0, `nothing at ${offset}, before the last stable offset ${lastStableOffset}`);
  }
}
