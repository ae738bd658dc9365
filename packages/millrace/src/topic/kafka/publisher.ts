/**
 * Writes records: acknowledged by all replicas, each once, in order.
 *
 * The client library's own producer repeats a failed batch beside later ones of its partition, which the broker then
 * refuses, and starts a new sequence for them: the order is lost. Here a partition has one batch under way, and those of
 * many partitions share a request. What waits meanwhile makes up the next batch, so batches grow with the load.
 */
import { partitionForKey } from '@millrace/broker';
import { type MessageRecord, NumericMap } from '@platformatic/kafka';
import { MillraceError } from '../../errors.ts';
import { type NewRecord, type TopicHeader, TransactionFenced } from '../topic-log.ts';
import type { Cluster } from './cluster.ts';
import { Again, errorName, isStale, passes, refused } from './failure.ts';
import { type Identity, newIdentity } from './identity.ts';
import { Call, PartitionQueue, tooLarge } from './partition-queue.ts';
import type { ProduceRequest, ProduceResponse } from './wire.ts';

const ALL_REPLICAS = -1;
const ACK_WITHIN_MS = 20_000;
/** Of one request. */
const MOST_BYTES = 8 * 1024 * 1024;
/** Requests under way to one broker: one on its way while another is written. */
const REQUESTS = 2;
/** As Kafka's delivery.timeout.ms: a batch that has been failing for so long is given up. */
const GIVE_UP_AFTER = 120_000;
/** Records without a key go to one partition until so many bytes have, as with Kafka's own client. */
const STICKY_BYTES = 16 * 1024;
const MOST_LOST_IDENTITIES = 3;

/** Kafka's answers to a producer that another has taken the place of. */
export const FENCED = new Set(['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH', 'INVALID_PRODUCER_ID_MAPPING']);

/** Kafka's answers to a producer whose state it has not: after a loss of data, or of all its records to retention. */
const IDENTITY_LOST = new Set([...FENCED, 'OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID']);

/** Records of one topic by partition. */
export type Shares = ReadonlyMap<number, readonly NewRecord[]>;

/** Whose transactions the records are in. */
export interface Holder {
  readonly transactionalId: string;
  readonly identity: Identity;
}

export class Publisher {
  readonly #cluster: Cluster;
  readonly #holder: Holder | undefined;
  readonly #queues = new Map<string, PartitionQueue>();
  readonly #requests = new Map<number, number>();
  readonly #sticky = new Map<string, { partition: number; bytes: number }>();
  #order: Promise<unknown> = Promise.resolve();
  #identity: Promise<Identity> | undefined;
  #pumping = false;
  #open = 0;
  #idle: (() => void) | undefined;

  /** With a holder it writes in that producer's transactions, and for as long as it is not fenced. */
  constructor(cluster: Cluster, holder?: Holder) {
    this.#cluster = cluster;
    this.#holder = holder;
  }

  produce(topic: string, records: readonly NewRecord[]): Promise<void> {
    return this.#write(topic, records.length, () => this.assign(topic, records));
  }

  /** The same for records whose partitions are known. */
  produceTo(topic: string, shares: Shares): Promise<void> {
    const count = [...shares.values()].reduce((sum, records) => sum + records.length, 0);
    return this.#write(topic, count, async () => shares);
  }

  /** The partition that each record goes to. */
  async assign(topic: string, records: readonly NewRecord[]): Promise<Shares> {
    const doing = `to take records for topic '${topic}'`;
    const { leaders } = await this.#cluster.patiently(doing, () => this.#cluster.place(topic));
    return Map.groupBy(records, (record) => this.#partitionOf(topic, record, leaders.length));
  }

  async #write(topic: string, count: number, assign: () => Promise<Shares>): Promise<void> {
    const call = new Call(count);
    // One after the other, or a call that found the topic known would overtake one that has to ask.
    const entered = this.#order.then(async () => this.#enter(topic, await assign(), call));
    this.#order = entered.catch(() => {});
    this.#open++;
    try {
      await entered;
      await call.done;
    } finally {
      if (--this.#open === 0) this.#idle?.();
    }
  }

  /** When nothing is under way any more. */
  async settled(): Promise<void> {
    if (this.#open > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  #enter(topic: string, shares: Shares, call: Call): void {
    for (const [partition, records] of shares) {
      const queue = this.#queue(topic, partition);
      for (const record of records) queue.add(record, call);
    }
    this.#pump();
  }

  #queue(topic: string, partition: number): PartitionQueue {
    const name = `${topic}:${partition}`;
    let queue = this.#queues.get(name);
    if (!queue) {
      queue = new PartitionQueue(topic, partition);
      this.#queues.set(name, queue);
    }
    return queue;
  }

  #partitionOf(topic: string, { key, value }: NewRecord, partitions: number): number {
    if (key !== null) return partitionForKey(key, partitions);
    const sticky = this.#sticky.get(topic) ?? {
      partition: Math.floor(this.#cluster.runtime.random() * partitions),
      bytes: 0,
    };
    this.#sticky.set(topic, sticky);
    if (sticky.bytes >= STICKY_BYTES) {
      sticky.partition++;
      sticky.bytes = 0;
    }
    sticky.bytes += value?.byteLength ?? 0;
    return sticky.partition % partitions;
  }

  /** Sends what can be sent, on and on. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    queueMicrotask(() => {
      this.#pumping = false;
      const ready = [...this.#queues.values()].filter((queue) => queue.ready());
      if (ready.length > 0) this.#sendAll(ready);
    });
  }

  #sendAll(ready: readonly PartitionQueue[]): void {
    const requests = new Map<string, { node: number; identity: Identity; queues: PartitionQueue[]; bytes: number }>();
    for (const queue of ready) {
      const leader = this.#cluster.known(queue.topic)?.leaders[queue.partition] ?? -1;
      const { identity } = queue;
      if (leader < 0) void this.#prepare(queue, () => this.#locate(queue));
      else if (!identity) void this.#prepare(queue, () => this.#identify(queue));
      else {
        const name = `${leader} ${identity.producerId} ${identity.producerEpoch}`;
        const request = requests.get(name) ?? { node: leader, identity, queues: [], bytes: 0 };
        if (request.bytes > 0 && request.bytes + queue.batchBytes > MOST_BYTES) continue;
        request.queues.push(queue);
        request.bytes += queue.batchBytes;
        requests.set(name, request);
      }
    }
    for (const { node, identity, queues } of requests.values())
      if ((this.#requests.get(node) ?? 0) < REQUESTS) void this.#send(node, identity, queues);
  }

  async #send(node: number, identity: Identity, queues: readonly PartitionQueue[]): Promise<void> {
    this.#requests.set(node, (this.#requests.get(node) ?? 0) + 1);
    for (const queue of queues) queue.busy = true;
    const sequences = new NumericMap(
      queues.map(({ topic, partition, sequence }) => [`${topic}:${partition}`, sequence]),
    );
    const messages = queues.flatMap(({ topic, partition, batch }) => batch.map((r) => messageOf(topic, partition, r)));
    const transactionalId = this.#holder?.transactionalId;
    const args = [ALL_REPLICAS, ACK_WITHIN_MS, messages, { ...identity, sequences, transactionalId }];
    try {
      const response = await this.#cluster.ask<ProduceRequest, ProduceResponse>(
        node,
        'Produce',
        args as ProduceRequest,
      );
      for (const queue of queues) this.#answered(queue, response);
    } catch (error) {
      for (const queue of queues) {
        this.#cluster.forget(queue.topic);
        this.#failed(queue, error as Error);
      }
    } finally {
      this.#requests.set(node, this.#requests.get(node)! - 1);
      this.#pump();
    }
  }

  #answered(queue: PartitionQueue, response: ProduceResponse): void {
    const { topic, partition } = queue;
    const answer = response.responses
      .find(({ name }) => name === topic)
      ?.partitionResponses.find(({ index }) => index === partition);
    if (!answer) return this.#failed(queue, new Again('the broker left the partition out of its answer'));
    const name = errorName(answer.errorCode);
    queue.busy = false;
    if (answer.errorCode === 0 || name === 'DUPLICATE_SEQUENCE_NUMBER') queue.written();
    else if (name === 'MESSAGE_TOO_LARGE' || name === 'RECORD_LIST_TOO_LARGE') {
      if (!queue.split())
        queue.refused(tooLarge(queue, answer.errorMessage ?? "it is more than the topic's max.message.bytes"));
    } else if (this.#holder && FENCED.has(name)) {
      const why = `topic '${topic}' partition ${partition}: ${name}`;
      queue.refused(new TransactionFenced(`'${this.#holder.transactionalId}' is no longer held: ${why}`));
    } else if (!this.#holder && IDENTITY_LOST.has(name) && queue.lostIdentity++ < MOST_LOST_IDENTITIES) {
      // Others may go on with it; whoever begins needs another.
      queue.forgetIdentity();
      this.#identity = undefined;
    } else if (passes(answer.errorCode)) {
      if (isStale(answer.errorCode)) this.#cluster.forget(topic);
      this.#failed(queue, new Again(name));
    } else
      queue.refused(
        refused(answer.errorCode, `to write to topic '${topic}' partition ${partition}`, answer.errorMessage),
      );
  }

  /** Tries again after a pause, or gives up. */
  #failed(queue: PartitionQueue, error: Error): void {
    const { clock } = this.#cluster.runtime;
    queue.failingSince ??= clock.monotonic();
    const doing = `to write to topic '${queue.topic}' partition ${queue.partition}`;
    const pause = this.#cluster.pauseAfter(queue.failures++);
    const late = clock.monotonic() + pause - queue.failingSince > GIVE_UP_AFTER;
    if (!(error instanceof Again) || late) {
      queue.busy = false;
      // With the old identity and a sequence from 0 on, news would look like a repetition of what was written first.
      this.#identity = undefined;
      queue.lost(error instanceof Again ? this.#cluster.unanswered(doing, error) : error);
      return;
    }
    queue.busy = true;
    this.#cluster.pause(pause).then(
      () => {
        queue.busy = false;
        this.#pump();
      },
      (closed: Error) => queue.abandon(closed),
    );
  }

  async #prepare(queue: PartitionQueue, prepare: () => Promise<void>): Promise<void> {
    queue.busy = true;
    try {
      await prepare();
      queue.busy = false;
      this.#pump();
    } catch (error) {
      this.#failed(queue, error as Error);
    }
  }

  async #locate({ topic, partition }: PartitionQueue): Promise<void> {
    const { leaders } = await this.#cluster.place(topic);
    if (partition >= leaders.length) throw new MillraceError('MR_TOPIC_GONE', [topic]);
    if ((leaders[partition] ?? -1) >= 0) return;
    this.#cluster.forget(topic);
    throw new Again('there is no leader');
  }

  async #identify(queue: PartitionQueue): Promise<void> {
    this.#identity ??= this.#holder ? Promise.resolve(this.#holder.identity) : newIdentity(this.#cluster);
    try {
      queue.identity = await this.#identity;
    } catch (error) {
      this.#identity = undefined;
      throw error;
    }
  }
}

function messageOf(topic: string, partition: number, { key, value, timestamp, headers }: NewRecord): MessageRecord {
  return {
    topic,
    partition,
    key: key === null ? undefined : bufferOf(key),
    value: bytesOf(value),
    timestamp: BigInt(timestamp),
    headers: headers?.length ? headersOf(headers) : undefined,
  } as MessageRecord;
}

/** Its keys are told apart by identity, so that a header may stand there twice. */
function headersOf(headers: readonly TopicHeader[]): Map<Buffer, Buffer> {
  return new Map(headers.map(({ key, value }) => [Buffer.from(key), bytesOf(value)]));
}

/** The library writes null as it is, which its types do not say. */
function bytesOf(bytes: Uint8Array | null): Buffer {
  return bytes === null ? (null as never) : bufferOf(bytes);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
