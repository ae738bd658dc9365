/**
 * Kafka's transactions behind the seam of topic-log.ts. A claim is an InitProducerId, by which the brokers fence whoever had
 * the id, and end what that one left. A publication takes the steps of Kafka's own client in their order: the partitions are
 * in the transaction before a record is written, the records are acknowledged before its end is asked for.
 *
 * The end is asked for until it is answered, under the same producer epoch: a repetition of what was done already is
 * answered as done. If it never is, its outcome is open, and the next claim settles it.
 */
import { CONTROL_TOPIC, ensureControlTopic } from '../control-topic.ts';
import { type NewRecord, type TopicTransactions, TransactionFenced } from '../topic-log.ts';
import type { Cluster } from './cluster.ts';
import { Coordinators } from './coordinators.ts';
import { check, errorName, isStale } from './failure.ts';
import { identityOf, requestFor } from './identity.ts';
import { committedMarker } from './markers.ts';
import { FENCED, type Holder, Publisher, type Shares } from './publisher.ts';
import { ensureTopic } from './topics.ts';
import type {
  AddPartitionsToTxnRequest,
  AddPartitionsToTxnResponse,
  EndTxnRequest,
  EndTxnResponse,
  InitProducerIdRequest,
  InitProducerIdResponse,
} from './wire.ts';

export class KafkaTransactions implements TopicTransactions {
  readonly #cluster: Cluster;
  readonly #coordinators: Coordinators;
  readonly #id: string;
  readonly #key: Uint8Array;
  #held: (Holder & { readonly publisher: Publisher }) | undefined;

  constructor(cluster: Cluster, id: string) {
    this.#cluster = cluster;
    this.#coordinators = new Coordinators(cluster, 'transactional id');
    this.#id = id;
    this.#key = new TextEncoder().encode(id);
  }

  async claim(): Promise<Uint8Array | undefined> {
    this.#held = undefined;
    await ensureControlTopic((declared) => ensureTopic(this.#cluster, declared));
    const doing = `to start the producer of transactional id '${this.#id}'`;
    const identity = await this.#cluster.patiently(doing, async () => {
      const response = await this.#ask<InitProducerIdRequest, InitProducerIdResponse>(
        'InitProducerId',
        requestFor(this.#id),
      );
      this.#coordinators.heard(this.#id, response.errorCode);
      return identityOf(response, doing);
    });
    const holder = { transactionalId: this.#id, identity };
    this.#held = { ...holder, publisher: new Publisher(this.#cluster, holder) };
    return committedMarker(this.#cluster, this.#key);
  }

  async publish(topic: string, records: readonly NewRecord[], marker: Uint8Array): Promise<void> {
    const held = this.#held;
    if (!held) throw new TransactionFenced(`the transactional id '${this.#id}' was not claimed`);
    const { publisher } = held;
    const shares = new Map<string, Shares>();
    if (records.length > 0) shares.set(topic, await publisher.assign(topic, records));
    const { now } = this.#cluster.runtime.clock;
    shares.set(CONTROL_TOPIC, new Map([[0, [{ key: this.#key, value: marker, timestamp: Math.floor(now()) }]]]));
    try {
      await this.#addPartitions(held, shares);
      await allSettled([...shares].map(([name, of]) => publisher.produceTo(name, of)));
      await this.#end(held, true);
    } catch (error) {
      await this.#abort(held);
      throw error;
    }
  }

  async #addPartitions({ identity }: Holder, shares: ReadonlyMap<string, Shares>): Promise<void> {
    const topics = [...shares].map(([name, of]) => ({ name, partitions: [...of.keys()] }));
    const transaction = { transactionalId: this.#id, ...identity, verifyOnly: false, topics };
    const doing = `to open a transaction of '${this.#id}'`;
    await this.#cluster.patiently(doing, async () => {
      const response = await this.#ask<AddPartitionsToTxnRequest, AddPartitionsToTxnResponse>('AddPartitionsToTxn', [
        [transaction],
      ]);
      const codes = response.resultsByTransaction
        .flatMap(({ topicResults }) => topicResults)
        .flatMap(({ resultsByPartition }) => resultsByPartition)
        .map(({ partitionErrorCode }) => partitionErrorCode);
      // Where one is at fault the others say that they were not attempted.
      const fault = codes.find((code) => code !== 0 && errorName(code) !== 'OPERATION_NOT_ATTEMPTED');
      if (fault !== undefined && isStale(fault)) for (const { name } of topics) this.#cluster.forget(name);
      this.#check(fault ?? response.errorCode, doing);
    });
  }

  #end(holder: Holder, commit: boolean): Promise<void> {
    const doing = `to ${commit ? 'commit' : 'abort'} a transaction of '${this.#id}'`;
    return this.#cluster.patiently(doing, () => this.#endOnce(holder, commit, doing));
  }

  /** So that nobody waits for a transaction that fails; whoever claims next does the same, or time does. */
  async #abort(holder: Holder): Promise<void> {
    await this.#endOnce(holder, false, `to abort a transaction of '${this.#id}'`).catch(() => {});
  }

  async #endOnce({ identity }: Holder, commit: boolean, doing: string): Promise<void> {
    const { producerId, producerEpoch } = identity;
    const args: EndTxnRequest = [this.#id, producerId, producerEpoch, commit];
    const { errorCode } = await this.#ask<EndTxnRequest, EndTxnResponse>('EndTxn', args);
    this.#check(errorCode, doing);
  }

  #ask<A extends unknown[], R>(api: string, args: A): Promise<R> {
    return this.#coordinators.ask<A, R>(this.#id, api, args);
  }

  #check(code: number, doing: string): void {
    this.#coordinators.heard(this.#id, code);
    if (FENCED.has(errorName(code))) throw new TransactionFenced(`the brokers refuse ${doing}: ${errorName(code)}`);
    check(code, doing);
  }
}

/** The first failure is told when nothing is under way any more. */
async function allSettled(all: readonly Promise<void>[]): Promise<void> {
  for (const settled of await Promise.allSettled(all)) if (settled.status === 'rejected') throw settled.reason;
}
