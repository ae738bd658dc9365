import { LogError } from '../errors.ts';
import { readInt64, writeInt64 } from '../log/int64.ts';
import { type Partitions, type Transaction, transactionStates } from './transaction.ts';

/**
 * How a transactional id stands in `__transaction_state`: Kafka's TransactionLogKey version 0 and TransactionLogValue
 * version 1. Its last epoch has no field there, and is kept under a tag that Kafka skips: so an InitProducerId whose
 * answer was lost in a crash is recognised when it comes again.
 */
const KEY_VERSION = 0;
const VALUE_VERSION = 1;
const PREVIOUS_PRODUCER_ID = 0;
const LAST_PRODUCER_EPOCH = 1000;
const NO_PARTITIONS = 0;
const MAX_ID_BYTES = 2 ** 15 - 1;
/** producer id int64, epoch int16, time-out int32, state int8. */
const HEAD_BYTES = 15;
/** updated and started, int64 each. */
const TIMES_BYTES = 16;

export function keyOf(transactionalId: string): Buffer {
  const id = Buffer.from(transactionalId);
  if (id.length > MAX_ID_BYTES) {
    throw new LogError('INVALID_REQUEST', `a transactional id has at most ${MAX_ID_BYTES} bytes, not ${id.length}`);
  }
  const key = Buffer.alloc(4 + id.length);
  key.writeInt16BE(KEY_VERSION, 0);
  key.writeInt16BE(id.length, 2);
  id.copy(key, 4);
  return key;
}

export function idOf(key: Buffer): string {
  expectVersion('key', key.readInt16BE(0), KEY_VERSION);
  return key.toString('utf8', 4, 4 + key.readInt16BE(2));
}

export function bytesOf(transaction: Transaction): Buffer {
  const head = Buffer.alloc(2 + HEAD_BYTES);
  head.writeInt16BE(VALUE_VERSION, 0);
  writeInt64(head, transaction.producerId, 2);
  head.writeInt16BE(transaction.producerEpoch, 10);
  head.writeInt32BE(transaction.timeoutMs, 12);
  head.writeInt8(transactionStates.indexOf(transaction.state), 16);
  const times = Buffer.alloc(TIMES_BYTES);
  writeInt64(times, transaction.updatedAt, 0);
  writeInt64(times, transaction.startedAt, 8);
  return Buffer.concat([head, ...partitionsOf(transaction), times, ...tagsOf(transaction)]);
}

function partitionsOf({ state, partitions }: Transaction): Buffer[] {
  if (state === 'Empty') return [varint(NO_PARTITIONS)];
  const parts = [varint(partitions.size + 1)];
  for (const [topic, numbers] of partitions) {
    const name = Buffer.from(topic);
    const list = Buffer.alloc(4 * numbers.size);
    let at = 0;
    for (const number of numbers) at = list.writeInt32BE(number, at);
    parts.push(varint(name.length + 1), name, varint(numbers.size + 1), list, varint(0));
  }
  return parts;
}

function tagsOf({ previousProducerId, lastProducerEpoch }: Transaction): Buffer[] {
  const previous = Buffer.alloc(8);
  writeInt64(previous, previousProducerId, 0);
  const last = Buffer.alloc(2);
  last.writeInt16BE(lastProducerEpoch, 0);
  return [
    varint(2),
    ...[varint(PREVIOUS_PRODUCER_ID), varint(previous.length), previous],
    ...[varint(LAST_PRODUCER_EPOCH), varint(last.length), last],
  ];
}

export function transactionOf(transactionalId: string, value: Buffer): Transaction {
  expectVersion('value', value.readInt16BE(0), VALUE_VERSION);
  const reader = new ValueReader(value, 2 + HEAD_BYTES);
  const partitions = reader.partitions();
  const [updatedAt, startedAt] = [reader.int64(), reader.int64()];
  const tags = reader.tags();
  return {
    transactionalId,
    producerId: readInt64(value, 2),
    previousProducerId: readInt64(tags.get(PREVIOUS_PRODUCER_ID)!, 0),
    producerEpoch: value.readInt16BE(10),
    lastProducerEpoch: tags.get(LAST_PRODUCER_EPOCH)!.readInt16BE(0),
    timeoutMs: value.readInt32BE(12),
    state: transactionStates[value.readInt8(16)]!,
    partitions,
    startedAt,
    updatedAt,
  };
}

class ValueReader {
  private readonly bytes: Buffer;
  private at: number;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  partitions(): Partitions {
    const partitions = new Map<string, Set<number>>();
    for (let left = this.varint() - 1; left > 0; left--) {
      const topic = this.take(this.varint() - 1).toString();
      const numbers = new Set<number>();
      for (let more = this.varint() - 1; more > 0; more--) numbers.add(this.take(4).readInt32BE(0));
      partitions.set(topic, numbers);
      this.tags();
    }
    return partitions;
  }

  tags(): ReadonlyMap<number, Buffer> {
    const tags = new Map<number, Buffer>();
    for (let left = this.varint(); left > 0; left--) {
      const tag = this.varint();
      tags.set(tag, this.take(this.varint()));
    }
    return tags;
  }

  int64(): number {
    return readInt64(this.take(8), 0);
  }

  private take(length: number): Buffer {
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  private varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes.readUInt8(this.at++);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

function expectVersion(what: string, found: number, known: number): void {
  if (found === known) return;
  throw new LogError('CORRUPT_MESSAGE', `__transaction_state has a ${what} of version ${found}; ${known} is known`);
}
