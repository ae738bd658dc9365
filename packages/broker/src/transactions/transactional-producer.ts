import { LogError } from '../errors.ts';
import type { ProducerRecord, TransactionalProducer } from '../log/api.ts';
import { BatchBuilder } from '../log/batch-builder.ts';
import type { Clock } from '../log/clock.ts';
import type { DirectoryLog } from '../log/log.ts';
import { bytesInTopic, checkRecord } from '../log/new-record.ts';
import type { Partition } from '../log/partition.ts';
import { partitionForKey } from '../log/partitioner.ts';
import { stampAppendTime } from '../log/record-batch.ts';
import type { Topic } from '../log/topic.ts';
import { durable } from './log-participants.ts';
import type { ProducerIdAndEpoch } from './transaction.ts';
import type { TransactionCoordinator } from './transaction-coordinator.ts';

/**
 * A transactional producer in this process. It takes the steps of a client, in a client's order, through the coordinator
 * that also serves the network: InitProducerId; then, transaction by transaction, the partitions are in it (durably)
 * before a record is written, the records are durable before the end is decided, and the end is decided once.
 *
 * Whatever goes wrong on the way, it asks for the transaction to be aborted. If not even that can be done, the next
 * producer with the id does it, or time does.
 */
const TIMEOUT = 60_000;
/** Milliseconds for which another step of the id is waited for, which ends when every disk has done its part. */
const PATIENCE = 30_000;
const BATCH_BYTES = 64 * 1024;
/** Written before it is waited for that it is durable. */
const UNSYNCED_BYTES = 2 * 1024 * 1024;
/** Records without a key go to one partition until so many bytes have. */
const STICKY_BYTES = 16 * 1024;
const TRANSACTIONAL = 0x10;
const SEQUENCES = 2 ** 31;

export async function startTransactionalProducer(
  log: DirectoryLog,
  transactionalId: string,
  random: () => number,
): Promise<TransactionalProducer> {
  const coordinator = await log.transactions();
  const { clock } = log.directory;
  const timeoutMs = Math.min(TIMEOUT, coordinator.limits.maxTimeoutMs);
  const request = { transactionalId, timeoutMs, expected: undefined };
  const identity = await patiently(coordinator, clock, transactionalId, () => coordinator.initProducerId(request));
  return new LocalProducer({ log, coordinator, clock, random, transactionalId, identity });
}

interface Parts {
  readonly log: DirectoryLog;
  readonly coordinator: TransactionCoordinator;
  readonly clock: Clock;
  readonly random: () => number;
  readonly transactionalId: string;
  readonly identity: ProducerIdAndEpoch;
}

/** What one partition gets of a transaction. */
interface Share {
  readonly topic: Topic;
  readonly partition: Partition;
  readonly records: (Required<Omit<ProducerRecord, 'partition' | 'topic'>> & { readonly bytes: number })[];
}

class LocalProducer implements TransactionalProducer {
  private readonly parts: Parts;
  /** The next sequence number; they begin anew with each epoch. */
  private readonly sequences = new Map<Partition, number>();
  private readonly sticky = new Map<string, { number: number; bytes: number }>();

  constructor(parts: Parts) {
    this.parts = parts;
  }

  async commit(records: readonly ProducerRecord[]): Promise<void> {
    const { coordinator, transactionalId, identity } = this.parts;
    const shares = this.sharesOf(records);
    if (shares.length === 0) return;
    const partitions = new Map<string, Set<number>>();
    for (const { partition } of shares) {
      const numbers = partitions.get(partition.topic) ?? new Set();
      partitions.set(partition.topic, numbers.add(partition.partition));
    }
    try {
      await this.step(() => coordinator.addPartitions(transactionalId, identity, partitions));
      await this.write(shares);
      await this.step(() => coordinator.end(transactionalId, identity, true));
    } catch (error) {
      // Refused where it is not this producer's to abort, or decided.
      await coordinator.end(transactionalId, identity, false).catch(() => undefined);
      throw error;
    }
  }

  private step(attempt: () => Promise<void>): Promise<void> {
    const { coordinator, clock, transactionalId } = this.parts;
    return patiently(coordinator, clock, transactionalId, attempt);
  }

  /** By partition; throws before anything is written when one of them cannot be. */
  private sharesOf(records: readonly ProducerRecord[]): readonly Share[] {
    const { log, clock } = this.parts;
    const shares = new Map<Partition, Share>();
    for (const { topic: name, partition: number, ...rest } of records) {
      const { key = null, value, headers = [], timestamp = clock.now() } = rest;
      checkRecord(key, value, headers, timestamp);
      const topic = log.catalog.topic(name);
      const bytes = bytesInTopic(topic, key, value, headers);
      const partition = partitionIn(topic, number ?? this.numberFor(topic, key, bytes));
      const share = shares.get(partition) ?? { topic, partition, records: [] };
      shares.set(partition, share);
      share.records.push({ key, value, headers, timestamp, bytes });
    }
    return [...shares.values()];
  }

  private numberFor({ name, partitions }: Topic, key: Uint8Array | null, bytes: number): number {
    if (key !== null) return partitionForKey(key, partitions.length);
    const sticky = this.sticky.get(name) ?? { number: Math.floor(this.parts.random() * partitions.length), bytes: 0 };
    this.sticky.set(name, sticky);
    if (sticky.bytes >= STICKY_BYTES) {
      sticky.number++;
      sticky.bytes = 0;
    }
    sticky.bytes += bytes;
    return sticky.number % partitions.length;
  }

  private async write(shares: readonly Share[]): Promise<void> {
    const builder = new BatchBuilder();
    let unsynced = 0;
    for (const share of shares) {
      const { topic, partition, records } = share;
      const full = Math.min(BATCH_BYTES, topic.config['max.message.bytes']);
      for (const { key, value, headers, timestamp, bytes } of records) {
        if (builder.count > 0 && builder.size + bytes > full) {
          unsynced += this.append(share, builder);
          if (unsynced > UNSYNCED_BYTES) {
            await durable(partition, partition.end);
            unsynced = 0;
          }
        }
        builder.add(timestamp, key, value, headers);
      }
      this.append(share, builder);
    }
    await Promise.all(shares.map(({ partition }) => durable(partition, partition.end)));
  }

  /** What was built, in the turn in which the coordinator says that it may be; its bytes. */
  private append({ topic, partition }: Share, builder: BatchBuilder): number {
    const { coordinator, clock, transactionalId, identity } = this.parts;
    const { producerId, producerEpoch } = identity;
    const { count } = builder;
    const baseSequence = this.sequences.get(partition) ?? 0;
    const fields = { producerId, producerEpoch, baseSequence, attributes: TRANSACTIONAL };
    const batch = builder.finish(fields);
    const refusal = coordinator.verify(transactionalId, producerId, producerEpoch, topic.name, partition.partition);
    if (refusal !== undefined) {
      throw new LogError(
        'PRODUCER_FENCED',
        `the transaction of '${transactionalId}' has ended, because another producer was started with the id or it took too long: ${refusal}`,
      );
    }
    if (topic.config['message.timestamp.type'] === 'LogAppendTime') stampAppendTime(batch, clock.now());
    partition.append(batch);
    this.sequences.set(partition, (baseSequence + count) % SEQUENCES);
    return batch.length;
  }
}

function partitionIn({ name, partitions }: Topic, number: number): Partition {
  const partition = partitions[number];
  if (partition !== undefined) return partition;
  throw new LogError(
    'UNKNOWN_TOPIC_OR_PARTITION',
    `topic '${name}' has no partition ${number}; it has 0 to ${partitions.length - 1}`,
  );
}

/** Another step of the same id is waited for, which takes as long as the disk does. */
async function patiently<T>(coordinator: TransactionCoordinator, clock: Clock, id: string, attempt: () => Promise<T>) {
  const giveUpAt = clock.now() + PATIENCE;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const passes = error instanceof LogError && error.code === 'CONCURRENT_TRANSACTIONS';
      if (!passes || clock.now() >= giveUpAt) throw error;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = clock.setTimer(giveUpAt - clock.now(), resolve);
    try {
      await Promise.race([promise, coordinator.whenIdle(id)]);
    } finally {
      cancel();
    }
  }
}
