import { LogError } from '../errors.ts';
import { readInt64, writeInt64 } from '../log/int64.ts';
import { EMPTY_BYTES, Group, type Member } from './group.ts';

/**
 * A group as it is kept in `__consumer_offsets`: Kafka's GroupMetadataValue, version 3. Of each member's subscriptions
 * only that of the chosen protocol is kept. A group is written when a generation is complete, so what is read is Stable,
 * or Empty.
 *
 *     version int16 = 3, protocol type string, generation int32, protocol string?, leader string?, state since int64,
 *     members: array of (id string, instance id string?, client id string, client host string, rebalance timeout int32,
 *     session timeout int32, subscription bytes, assignment bytes)
 */
const VERSION = 3;

export function groupRecord(group: Group, assignments: ReadonlyMap<string, Buffer>): Buffer {
  const parts: Buffer[] = [
    int16(VERSION),
    string(group.protocolType ?? ''),
    int32(group.generation),
    string(group.protocolName ?? null),
    string(group.leaderId ?? null),
    int64(group.since),
    int32(group.members.size),
  ];
  for (const member of group.members.values()) {
    parts.push(string(member.id), string(member.instanceId), string(member.clientId), string(member.clientHost));
    parts.push(int32(member.rebalanceTimeoutMs), int32(member.sessionTimeoutMs));
    for (const bytes of [group.metadataOf(member), assignments.get(member.id) ?? EMPTY_BYTES]) {
      parts.push(int32(bytes.length), bytes);
    }
  }
  return Buffer.concat(parts);
}

export function groupOf(id: string, value: Buffer): Group {
  const reader = new RecordReader(value);
  const version = reader.int16();
  if (version !== VERSION) {
    throw new LogError(
      'CORRUPT_MESSAGE',
      `__consumer_offsets has metadata of version ${version} for group '${id}'; ${VERSION} is known`,
    );
  }
  const protocolType = reader.text();
  const generation = reader.int32();
  const protocolName = reader.string() ?? undefined;
  const leader = reader.string() ?? undefined;
  const group = new Group(id, reader.int64());
  const count = reader.int32();
  for (let n = 0; n < count; n++) group.add(memberOf(reader, protocolName), protocolType);
  group.protocolType = protocolType === '' ? undefined : protocolType;
  group.protocolName = protocolName;
  group.generation = generation;
  group.leaderId = leader;
  group.state = count > 0 ? 'Stable' : 'Empty';
  group.topics = group.subscribedTopics();
  return group;
}

function memberOf(reader: RecordReader, protocolName: string | undefined): Member {
  const identity = {
    id: reader.text(),
    instanceId: reader.string(),
    clientId: reader.text(),
    clientHost: reader.text(),
    rebalanceTimeoutMs: reader.int32(),
    sessionTimeoutMs: reader.int32(),
  };
  return {
    ...identity,
    protocols: [{ name: protocolName ?? '', metadata: reader.bytes() }],
    assignment: reader.bytes(),
    isNew: false,
    join: undefined,
    sync: undefined,
    cancelSession: () => undefined,
  };
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  writeInt64(bytes, value, 0);
  return bytes;
}

function string(value: string | null): Buffer {
  if (value === null) return int16(-1);
  const bytes = Buffer.from(value);
  return Buffer.concat([int16(bytes.length), bytes]);
}

class RecordReader {
  private readonly value: Buffer;
  private at = 0;

  constructor(value: Buffer) {
    this.value = value;
  }

  int16(): number {
    this.at += 2;
    return this.value.readInt16BE(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.value.readInt32BE(this.at - 4);
  }

  int64(): number {
    this.at += 8;
    return readInt64(this.value, this.at - 8);
  }

  string(): string | null {
    const length = this.int16();
    if (length < 0) return null;
    this.at += length;
    return this.value.toString('utf8', this.at - length, this.at);
  }

  text(): string {
    return this.string() ?? '';
  }

  bytes(): Buffer {
    const length = this.int32();
    this.at += length;
    return Buffer.from(this.value.subarray(this.at - length, this.at));
  }
}
