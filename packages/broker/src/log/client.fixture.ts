import type { LogRecord, TopicConfig } from './api.ts';
import { BatchBuilder } from './batch-builder.ts';
import { FaultyStorage, seededRandom } from './faulty-storage.ts';
import { type DirectoryLog, openDirectoryLog } from './log.ts';
import { ManualClock } from './manual-clock.ts';
import type { Appended, Partition } from './partition.ts';
import { decodeRecords, endOffsetOf, isControl } from './record-batch.ts';

/** Batches as clients send them, and a partition to send them to. */
export interface Sent {
  readonly producerId?: number;
  readonly epoch?: number;
  readonly sequence?: number;
  readonly transactional?: boolean;
  readonly timestamp?: number;
  readonly key?: string;
}

export const NOW = 1_700_000_000_000;

export function batchOf(values: readonly string[], sent: Sent = {}): Buffer {
  const { producerId = -1, epoch = producerId < 0 ? -1 : 0, sequence = producerId < 0 ? -1 : 0 } = sent;
  const builder = new BatchBuilder();
  const key = sent.key === undefined ? null : Buffer.from(sent.key);
  for (const value of values) builder.add(sent.timestamp ?? NOW, key, Buffer.from(value), []);
  const attributes = sent.transactional === true ? 0x10 : 0;
  return Buffer.from(builder.finish({ producerId, producerEpoch: epoch, baseSequence: sequence, attributes }));
}

export interface Opened {
  readonly storage: FaultyStorage;
  readonly clock: ManualClock;
  readonly log: DirectoryLog;
  readonly partition: Partition;
}

export async function reopened(storage: FaultyStorage, clock = new ManualClock(NOW)): Promise<Opened> {
  const log = await openDirectoryLog({ directory: '/data', storage, clock, random: seededRandom(1) });
  return { storage, clock, log, partition: log.catalog.topic('t').partitions[0]! };
}

export async function opened(config: Partial<TopicConfig> = {}, storage = new FaultyStorage()): Promise<Opened> {
  const clock = new ManualClock(NOW);
  const log = await openDirectoryLog({ directory: '/data', storage, clock, random: seededRandom(1) });
  await log.createTopic('t', { config });
  return { storage, clock, log, partition: log.catalog.topic('t').partitions[0]! };
}

export async function durable(partition: Partition, { end }: Pick<Appended, 'end'>): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    partition.whenReadable(end, (error) => (error === undefined ? resolve() : reject(error)));
  });
}

/** What this process reads. */
export function valuesIn(partition: Partition): string[] {
  const found: string[] = [];
  for (let offset = partition.start; offset < partition.lastStableOffset; ) {
    const { records, nextOffset } = partition.read(offset, 1000);
    found.push(...records.map(({ value }) => Buffer.from(value!).toString()));
    offset = nextOffset;
  }
  return found;
}

/** What a client makes of what it fetches with read_committed, by the rules of Kafka's own. */
export function committedByClient(partition: Partition, maxBytes = 1000): string[] {
  const found: string[] = [];
  for (let offset = partition.start; offset < partition.lastStableOffset; ) {
    const read = partition.readBatches(offset, maxBytes, { committedOnly: true });
    const waiting = [...read.aborted].sort((a, b) => a.firstOffset - b.firstOffset);
    const aborted = new Set<number>();
    for (const bytes of read.batches) {
      for (let at = 0; at < bytes.length; at += bytes.readInt32BE(at + 8) + 12) {
        while (waiting[0] !== undefined && waiting[0].firstOffset < endOffsetOf(bytes, at)) {
          aborted.add(waiting.shift()!.producerId);
        }
        const producerId = Number(bytes.readBigInt64BE(at + 43));
        // Whatever a marker says: the list says who aborted.
        if (isControl(bytes, at)) aborted.delete(producerId);
        const records: LogRecord[] = [];
        if (!aborted.has(producerId) || (bytes[at + 22]! & 0x10) === 0) decodeRecords(bytes, at, offset, records);
        found.push(...records.map(({ value }) => Buffer.from(value!).toString()));
      }
    }
    offset = read.nextOffset;
  }
  return found;
}
