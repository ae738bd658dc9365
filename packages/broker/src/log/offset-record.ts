import { LogError } from '../errors.ts';
import { readInt64, writeInt64 } from './int64.ts';

/**
 * The records of `__consumer_offsets`, in Kafka's own format. Keys begin with a version that says what they are of:
 *
 *     1  group, topic, partition → a committed offset; value version 3 (offset, leader epoch, metadata, commit
 *        timestamp), or 1 (offset, metadata, commit timestamp, expiry), when the commit brought a retention of its own
 *     2  group → the group's metadata; the value is its coordinator's
 */
export interface CommittedOffset {
  readonly offset: number;
  /** -1 when the client did not say. */
  readonly leaderEpoch: number;
  /** What the client wants to remember, '' when nothing. */
  readonly metadata: string;
  readonly commitTimestamp: number;
  /** Set by commits that brought their own retention time: OffsetCommit before version 5. */
  readonly expireTimestamp: number | undefined;
}

export interface GroupPartition {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
}

const OFFSET_KEY = 1;
const METADATA_KEY = 2;
const VALUE_WITH_EPOCH = 3;
const VALUE_WITH_EXPIRY = 1;
const MAX_NAME_BYTES = 2 ** 15 - 1;

export function offsetKey({ group, topic, partition }: GroupPartition): Buffer {
  const groupBytes = nameBytes(group);
  const topicBytes = Buffer.from(topic);
  const key = Buffer.alloc(2 + 2 + groupBytes.length + 2 + topicBytes.length + 4);
  key.writeInt16BE(OFFSET_KEY, 0);
  key.writeInt16BE(groupBytes.length, 2);
  groupBytes.copy(key, 4);
  key.writeInt16BE(topicBytes.length, 4 + groupBytes.length);
  topicBytes.copy(key, 6 + groupBytes.length);
  key.writeInt32BE(partition, key.length - 4);
  return key;
}

export function metadataKey(group: string): Buffer {
  const groupBytes = nameBytes(group);
  const key = Buffer.alloc(4 + groupBytes.length);
  key.writeInt16BE(METADATA_KEY, 0);
  key.writeInt16BE(groupBytes.length, 2);
  groupBytes.copy(key, 4);
  return key;
}

function nameBytes(group: string): Buffer {
  const bytes = Buffer.from(group);
  if (bytes.length <= MAX_NAME_BYTES) return bytes;
  throw new LogError(
    'INVALID_GROUP_ID',
    `a group's name has up to ${MAX_NAME_BYTES} bytes; '${group.slice(0, 40)}…' has ${bytes.length}`,
  );
}

export type ParsedKey = { readonly group: string; readonly offsetOf: GroupPartition | undefined };

/** A key of a committed offset, or of a group's metadata. */
export function parseKey(key: Buffer): ParsedKey {
  const version = key.readInt16BE(0);
  const groupEnd = 4 + key.readInt16BE(2);
  const group = key.toString('utf8', 4, groupEnd);
  if (version === METADATA_KEY) return { group, offsetOf: undefined };
  if (version !== OFFSET_KEY) {
    throw new LogError(
      'CORRUPT_MESSAGE',
      `__consumer_offsets has a key of version ${version}; ${OFFSET_KEY} and ${METADATA_KEY} are known`,
    );
  }
  const topicEnd = groupEnd + 2 + key.readInt16BE(groupEnd);
  const topic = key.toString('utf8', groupEnd + 2, topicEnd);
  return { group, offsetOf: { group, topic, partition: key.readInt32BE(topicEnd) } };
}

export function offsetValue(committed: CommittedOffset): Buffer {
  const metadata = Buffer.from(committed.metadata);
  const value = Buffer.alloc(2 + 8 + (committed.expireTimestamp === undefined ? 4 : 8) + 2 + metadata.length + 8);
  const expires = committed.expireTimestamp !== undefined;
  let at = value.writeInt16BE(expires ? VALUE_WITH_EXPIRY : VALUE_WITH_EPOCH, 0);
  writeInt64(value, committed.offset, at);
  at += 8;
  if (!expires) at = value.writeInt32BE(committed.leaderEpoch, at);
  at = value.writeInt16BE(metadata.length, at);
  at += metadata.copy(value, at);
  writeInt64(value, committed.commitTimestamp, at);
  if (committed.expireTimestamp !== undefined) writeInt64(value, committed.expireTimestamp, at + 8);
  return value;
}

export function parseOffset(value: Buffer): CommittedOffset {
  const version = value.readInt16BE(0);
  if (version !== VALUE_WITH_EPOCH && version !== VALUE_WITH_EXPIRY) {
    throw new LogError(
      'CORRUPT_MESSAGE',
      `__consumer_offsets has a value of version ${version}; ${VALUE_WITH_EXPIRY} and ${VALUE_WITH_EPOCH} are known`,
    );
  }
  const hasEpoch = version === VALUE_WITH_EPOCH;
  const metadataAt = 2 + 8 + (hasEpoch ? 4 : 0);
  const metadataEnd = metadataAt + 2 + value.readInt16BE(metadataAt);
  return {
    offset: readInt64(value, 2),
    leaderEpoch: hasEpoch ? value.readInt32BE(10) : -1,
    metadata: value.toString('utf8', metadataAt + 2, metadataEnd),
    commitTimestamp: readInt64(value, metadataEnd),
    expireTimestamp: hasEpoch ? undefined : readInt64(value, metadataEnd + 8),
  };
}
