import { LogError } from '../errors.ts';
import type { Entry, KeyedLog } from './keyed-log.ts';
import {
  type CommittedOffset,
  type GroupPartition,
  metadataKey,
  offsetKey,
  offsetValue,
  parseKey,
  parseOffset,
} from './offset-record.ts';
import type { TransactionProducer } from './pending-entries.ts';

/**
 * `__consumer_offsets`: what consumer groups committed, at once or in a transaction, and what their coordinator keeps of
 * them. A commit shows when it is durable; a transaction's, when the marker of its commit is.
 */
export interface PartitionOffset extends CommittedOffset {
  readonly topic: string;
  readonly partition: number;
}

type ByPartition = Map<number, CommittedOffset>;

/** What a producer's transaction has pending; until its marker is durable nobody can say what these offsets are. */
interface OpenTransaction {
  readonly producerId: number;
  readonly keys: Map<string, GroupPartition>;
  /** Its marker is written: what the producer pends now is of its next transaction. */
  ended: boolean;
}

export class GroupOffsets {
  private readonly log: KeyedLog;
  private readonly committed = new Map<string, Map<string, ByPartition>>();
  private readonly open = new Set<OpenTransaction>();
  private admit: (group: string) => void = () => undefined;

  constructor(log: KeyedLog) {
    this.log = log;
    log.load((entry) => this.show(entry));
    for (const { producerId, key } of log.undecided()) this.transactionOf(producerId).keys.set(nameOf(key), of(key));
  }

  /** Asked before each commit of the process's own; throws when the group's members alone may commit. */
  guard(admit: (group: string) => void): void {
    this.admit = admit;
  }

  /** A commit of the process's own, by nobody who is a member. */
  async commit(group: string, topic: string, offsets: ReadonlyMap<number, number>, now: number): Promise<void> {
    if (group === '') throw new LogError('INVALID_GROUP_ID', "a group's name has at least one character");
    this.admit(group);
    const rest = { topic, leaderEpoch: -1, metadata: '', commitTimestamp: now, expireTimestamp: undefined };
    await this.write(
      group,
      [...offsets].map(([partition, offset]) => ({ partition, offset, ...rest })),
    );
  }

  /** All of them together, or none; durable when it resolves. */
  async write(group: string, offsets: readonly PartitionOffset[]): Promise<void> {
    await this.put(entriesOf(group, offsets));
  }

  /** The same, but they count only from the commit of the producer's transaction on. */
  async pend(producer: TransactionProducer, group: string, offsets: readonly PartitionOffset[]): Promise<void> {
    const entries = entriesOf(group, offsets);
    if (entries.length === 0) return;
    const { keys } = this.transactionOf(producer.producerId);
    for (const { key } of entries) keys.set(nameOf(key), of(key));
    await this.log.pend(producer, entries, () => undefined);
  }

  /** Ends the producer's transaction here. Durable when it resolves; may be repeated. */
  async complete(producer: TransactionProducer, commit: boolean): Promise<void> {
    const { producerId } = producer;
    const settled = [...this.open].filter((open) => open.producerId === producerId);
    for (const one of settled) one.ended = true;
    await this.log.complete(producer, commit, (entries) => {
      for (const entry of entries) this.show(entry);
      for (const one of settled) this.open.delete(one);
    });
  }

  async forget(group: string, partitions: readonly { topic: string; partition: number }[]): Promise<void> {
    await this.put(partitions.map((one) => ({ key: offsetKey({ group, ...one }), value: null })));
  }

  /** Keeps what the group's coordinator wants to find again. */
  async writeMetadata(group: string, value: Buffer): Promise<void> {
    await this.put([{ key: metadataKey(group), value }]);
  }

  /** Metadata, offsets, and what transactions have pending for it. */
  async forgetGroup(group: string): Promise<void> {
    const own = this.written().filter((key) => parseKey(key).group === group);
    await this.put(own.map((key) => ({ key, value: null })));
  }

  /** Forgets what was committed for topics that are not there. Needs the group commit's line. */
  async forgetTopicsBut(exists: (topic: string) => boolean): Promise<void> {
    const gone = this.written().filter((key) => {
      const { offsetOf } = parseKey(key);
      return offsetOf !== undefined && !exists(offsetOf.topic);
    });
    if (gone.length === 0) return;
    const entries = gone.map((key) => ({ key, value: null }));
    await this.log.putInLine(entries);
    for (const entry of entries) this.show(entry);
  }

  /** The groups that have committed offsets. */
  groups(): string[] {
    return [...this.committed.keys()].sort();
  }

  /** It has committed offsets, or a transaction has some pending for it. */
  knows(group: string): boolean {
    return this.committed.has(group) || this.unstable(group).length > 0;
  }

  topics(group: string): string[] {
    return [...(this.committed.get(group)?.keys() ?? [])].sort();
  }

  of(group: string, topic: string): ReadonlyMap<number, number> {
    const offsets = new Map<number, number>();
    for (const [partition, { offset }] of this.committed.get(group)?.get(topic) ?? []) offsets.set(partition, offset);
    return offsets;
  }

  find({ group, topic, partition }: GroupPartition): CommittedOffset | undefined {
    return this.committed.get(group)?.get(topic)?.get(partition);
  }

  all(group: string): PartitionOffset[] {
    const offsets: PartitionOffset[] = [];
    for (const [topic, partitions] of this.committed.get(group) ?? []) {
      for (const [partition, committed] of partitions) offsets.push({ topic, partition, ...committed });
    }
    return offsets;
  }

  /** A transaction that has not ended may still change it. */
  isUnstable(one: GroupPartition): boolean {
    if (this.open.size === 0) return false;
    const name = nameOf(offsetKey(one));
    for (const { keys } of this.open) if (keys.has(name)) return true;
    return false;
  }

  /** What transactions that have not ended may still change. */
  unstable(group: string): GroupPartition[] {
    return [...this.open].flatMap(({ keys }) => [...keys.values()].filter((one) => one.group === group));
  }

  /** The metadata of each group that has any. */
  metadata(): Map<string, Buffer> {
    const values = new Map<string, Buffer>();
    for (const { key, value } of this.log.entries()) {
      const { group, offsetOf } = parseKey(key);
      if (offsetOf === undefined && value !== null) values.set(group, value);
    }
    return values;
  }

  private async put(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return;
    await this.log.put(entries, () => {
      for (const entry of entries) this.show(entry);
    });
  }

  /** The keys of all that is written, pending or not. */
  private written(): Buffer[] {
    const keys = new Map(this.log.keys().map((key) => [nameOf(key), key]));
    for (const { key } of this.log.undecided()) keys.set(nameOf(key), key);
    return [...keys.values()];
  }

  private transactionOf(producerId: number): OpenTransaction {
    for (const open of this.open) if (open.producerId === producerId && !open.ended) return open;
    const open: OpenTransaction = { producerId, keys: new Map(), ended: false };
    this.open.add(open);
    return open;
  }

  private show({ key, value }: Entry): void {
    const { offsetOf } = parseKey(key);
    if (offsetOf === undefined) return;
    const { group, topic, partition } = offsetOf;
    const topics = this.committed.get(group) ?? new Map<string, ByPartition>();
    const partitions: ByPartition = topics.get(topic) ?? new Map();
    if (value === null) partitions.delete(partition);
    else partitions.set(partition, parseOffset(value));
    if (partitions.size === 0) topics.delete(topic);
    else topics.set(topic, partitions);
    if (topics.size === 0) this.committed.delete(group);
    else this.committed.set(group, topics);
  }
}

function entriesOf(group: string, offsets: readonly PartitionOffset[]): Entry[] {
  return offsets.map((one) => ({
    key: offsetKey({ group, topic: one.topic, partition: one.partition }),
    value: offsetValue(one),
  }));
}

function nameOf(key: Buffer): string {
  return key.toString('latin1');
}

function of(key: Buffer): GroupPartition {
  const { offsetOf } = parseKey(key);
  if (offsetOf === undefined) throw new LogError('CORRUPT_MESSAGE', 'a transaction holds a group, not an offset');
  return offsetOf;
}
