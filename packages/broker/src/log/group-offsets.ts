import { LogError } from '../errors.ts';
import { readInt64, writeInt64 } from './int64.ts';
import type { Entry, KeyedLog } from './keyed-log.ts';

/**
 * What consumer groups committed. Kept as Kafka keeps it in `__consumer_offsets`: key version 1 (group, topic,
 * partition), value version 3 (offset, leader epoch, metadata, commit timestamp). A commit shows when it is durable.
 */
const KEY_VERSION = 1;
const VALUE_VERSION = 3;
const MAX_NAME_BYTES = 2 ** 15 - 1;

type ByPartition = Map<number, number>;

export class GroupOffsets {
  private readonly log: KeyedLog;
  private readonly committed = new Map<string, Map<string, ByPartition>>();

  constructor(log: KeyedLog) {
    this.log = log;
    log.load((entry) => {
      const { group, topic, partition } = parseKey(entry.key);
      this.show(group, topic, partition, entry.value === null ? undefined : parseOffset(entry.value));
    });
  }

  async commit(group: string, topic: string, offsets: ReadonlyMap<number, number>, now: number): Promise<void> {
    if (group === '' || Buffer.byteLength(group) > MAX_NAME_BYTES) {
      throw new LogError(
        'INVALID_GROUP_ID',
        `a group's name has 1 to ${MAX_NAME_BYTES} bytes; '${group.slice(0, 40)}' has ${Buffer.byteLength(group)}`,
      );
    }
    if (offsets.size === 0) return;
    const entries: Entry[] = [];
    for (const [partition, offset] of offsets) {
      entries.push({ key: keyOf(group, topic, partition), value: offsetValue(offset, now) });
    }
    const copy = [...offsets];
    await this.log.put(entries, () => {
      for (const [partition, offset] of copy) this.show(group, topic, partition, offset);
    });
  }

  /** Forgets what was committed for topics that are not there. Needs the group commit's line. */
  async forgetTopicsBut(exists: (topic: string) => boolean): Promise<void> {
    const keys = this.log.keys().filter((key) => !exists(parseKey(key).topic));
    if (keys.length === 0) return;
    await this.log.putInLine(keys.map((key) => ({ key, value: null })));
    for (const key of keys) {
      const { group, topic, partition } = parseKey(key);
      this.show(group, topic, partition, undefined);
    }
  }

  groups(): string[] {
    return [...this.committed.keys()].sort();
  }

  topics(group: string): string[] {
    return [...(this.committed.get(group)?.keys() ?? [])].sort();
  }

  of(group: string, topic: string): ReadonlyMap<number, number> {
    return new Map(this.committed.get(group)?.get(topic));
  }

  private show(group: string, topic: string, partition: number, offset: number | undefined): void {
    const topics = this.committed.get(group) ?? new Map<string, ByPartition>();
    const partitions = topics.get(topic) ?? new Map<number, number>();
    if (offset === undefined) partitions.delete(partition);
    else partitions.set(partition, offset);
    if (partitions.size === 0) topics.delete(topic);
    else topics.set(topic, partitions);
    if (topics.size === 0) this.committed.delete(group);
    else this.committed.set(group, topics);
  }
}

function keyOf(group: string, topic: string, partition: number): Buffer {
  const groupBytes = Buffer.from(group);
  const topicBytes = Buffer.from(topic);
  const key = Buffer.alloc(2 + 2 + groupBytes.length + 2 + topicBytes.length + 4);
  key.writeInt16BE(KEY_VERSION, 0);
  key.writeInt16BE(groupBytes.length, 2);
  groupBytes.copy(key, 4);
  key.writeInt16BE(topicBytes.length, 4 + groupBytes.length);
  topicBytes.copy(key, 6 + groupBytes.length);
  key.writeInt32BE(partition, key.length - 4);
  return key;
}

function parseKey(key: Buffer): { group: string; topic: string; partition: number } {
  const version = key.readInt16BE(0);
  if (version !== KEY_VERSION) {
    throw new LogError(
      'CORRUPT_MESSAGE',
      `__consumer_offsets has a key of version ${version}; ${KEY_VERSION} is known`,
    );
  }
  const groupEnd = 4 + key.readInt16BE(2);
  const topicEnd = groupEnd + 2 + key.readInt16BE(groupEnd);
  return {
    group: key.toString('utf8', 4, groupEnd),
    topic: key.toString('utf8', groupEnd + 2, topicEnd),
    partition: key.readInt32BE(topicEnd),
  };
}

function offsetValue(offset: number, now: number): Buffer {
  const value = Buffer.alloc(2 + 8 + 4 + 2 + 8);
  value.writeInt16BE(VALUE_VERSION, 0);
  writeInt64(value, offset, 2);
  value.writeInt32BE(-1, 10);
  value.writeInt16BE(0, 14);
  writeInt64(value, now, 16);
  return value;
}

function parseOffset(value: Buffer): number {
  const version = value.readInt16BE(0);
  if (version !== VALUE_VERSION) {
    throw new LogError(
      'CORRUPT_MESSAGE',
      `__consumer_offsets has a value of version ${version}; ${VALUE_VERSION} is known`,
    );
  }
  return readInt64(value, 2);
}
