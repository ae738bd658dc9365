import { crc32c } from '@node-rs/crc32';
import type { LogErrorCode } from '../errors.ts';
import type { AbortedTransaction } from './aborted-transactions.ts';
import { readInt64, writeInt64 } from './int64.ts';
import {
  baseOffsetOf,
  endOffsetOf,
  isControl,
  maxTimestampOf,
  type ProducerBatch,
  producerOf,
} from './record-batch.ts';
import { type Marker, markerIn } from './transaction-marker.ts';

/**
 * What a partition remembers of those who write to it with a producer id, by Kafka's rules: the last five batches of
 * each, so that one that was sent again is answered and not appended again; the epoch, so that a zombie is refused; and
 * where the open transaction began, so that readers stop before it.
 *
 * It is a function of the log: `follow` is told of every batch, as it is appended and again when the log is recovered.
 * Only forgetting is not: a producer that was idle for as long as Kafka's `producer.id.expiration.ms` says is unknown,
 * whatever timestamps its records have.
 *
 * A snapshot, numbers big-endian:
 *
 *     0 version int16   2 crc32c of what follows uint32   6 offset int64   14 producers int32, and for each
 *       id int64   epoch int16   coordinatorEpoch int32   lastTimestamp int64   lastSeen int64   openSince int64
 *       batches int8, and for each   firstSequence int32   lastSequence int32   firstOffset, lastOffset, timestamp int64
 *
 * It is not Kafka's, which keeps one batch of each producer: a producer that sends its five again after a restart would
 * be told that they are out of order.
 */
const BATCHES_KEPT = 5;
const MAX_SEQUENCE = 2 ** 31 - 1;
/** Kafka's producer.id.expiration.check.interval.ms. */
const EXPIRATION_CHECK = 600_000;
const VERSION = 0x4d31;
const SNAPSHOT_HEADER = 18;
const PRODUCER_BYTES = 39;
const BATCH_BYTES = 32;
const NONE = -1;

interface AppendedBatch {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** Its greatest. */
  readonly timestamp: number;
}

/** -1 stands for what there is none of, as in Kafka. */
export interface ProducerDescription {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly lastSequence: number;
  readonly lastTimestamp: number;
  readonly coordinatorEpoch: number;
  readonly currentTxnStartOffset: number;
}

interface Producer {
  epoch: number;
  coordinatorEpoch: number;
  lastTimestamp: number;
  /** Wall ms when it last appended; for what was found in the log, when the log was opened. */
  lastSeen: number;
  /** The first offset of its open transaction. */
  openSince: number;
  /** Oldest first. */
  batches: AppendedBatch[];
}

export interface ProducerFault {
  readonly code: LogErrorCode;
  readonly what: string;
  /** Where only some records of the batch are at fault: which, from 0. */
  readonly records?: readonly number[];
}

export class ProducerStates {
  private readonly expirationMs: number;
  private readonly producers = new Map<number, Producer>();
  /** First offsets of open transactions by producer id. A transaction begins at the end, so they stand in order. */
  private readonly open = new Map<number, number>();
  /** Transactions whose markers may not be durable yet. */
  private deciding: { readonly firstOffset: number; readonly markerOffset: number }[] = [];
  private nextCheck = 0;

  constructor(expirationMs: number) {
    this.expirationMs = expirationMs;
  }

  /** The batch of the same sequence numbers that is in the log already. */
  duplicateOf(batch: ProducerBatch, now: number): AppendedBatch | undefined {
    const producer = this.known(batch.producerId, now);
    if (producer === undefined || producer.epoch !== batch.producerEpoch) return undefined;
    const { firstSequence, lastSequence } = batch;
    return producer.batches.find((one) => one.firstSequence === firstSequence && one.lastSequence === lastSequence);
  }

  /** Why a client's batch may not be appended next. A producer that is not known may begin anywhere. */
  faultOf(batch: ProducerBatch, now: number): ProducerFault | undefined {
    const { producerId, producerEpoch, firstSequence, transactional } = batch;
    const producer = this.known(producerId, now);
    if (producer === undefined) return undefined;
    if (producerEpoch < producer.epoch) return fenced(producerId, producerEpoch, producer.epoch);
    const last = producer.epoch === producerEpoch ? (producer.batches.at(-1)?.lastSequence ?? NONE) : NONE;
    if (firstSequence !== sequenceAfter(last)) {
      return {
        code: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
        what: `producer ${producerId} of epoch ${producerEpoch} sent sequence ${firstSequence} where ${sequenceAfter(last)} is next`,
      };
    }
    if (producer.openSince === NONE || transactional) return undefined;
    return {
      code: 'INVALID_TXN_STATE',
      what: `producer ${producerId} sent a batch outside its transaction, which is open since offset ${producer.openSince}`,
    };
  }

  /** Why a marker may not be appended. */
  faultOfMarker({ producerId, producerEpoch, coordinatorEpoch }: Marker): ProducerFault | undefined {
    const producer = this.producers.get(producerId);
    if (producer === undefined) return undefined;
    if (producerEpoch < producer.epoch) return fenced(producerId, producerEpoch, producer.epoch);
    if (coordinatorEpoch >= producer.coordinatorEpoch) return undefined;
    return {
      code: 'TRANSACTION_COORDINATOR_FENCED',
      what: `a marker for producer ${producerId} has the coordinator epoch ${coordinatorEpoch}, and ${producer.coordinatorEpoch} was seen`,
    };
  }

  /** Takes note of a batch that stands in the log, its offsets set; gives the transaction that it aborts, if it does. */
  follow(bytes: Buffer, at: number, now: number): AbortedTransaction | undefined {
    const batch = producerOf(bytes, at);
    if (batch === undefined) return undefined;
    if (isControl(bytes, at)) return this.followMarker(bytes, at, now);
    const producer = this.producerFor(batch.producerId, batch.producerEpoch, now);
    const firstOffset = baseOffsetOf(bytes, at);
    const { firstSequence, lastSequence } = batch;
    const timestamp = maxTimestampOf(bytes, at);
    if (firstSequence >= 0) {
      if (producer.batches.length === BATCHES_KEPT) producer.batches.shift();
      const lastOffset = endOffsetOf(bytes, at) - 1;
      producer.batches.push({ firstSequence, lastSequence, firstOffset, lastOffset, timestamp });
    }
    producer.lastTimestamp = timestamp;
    if (batch.transactional && producer.openSince === NONE) {
      producer.openSince = firstOffset;
      this.open.set(batch.producerId, firstOffset);
    }
    return undefined;
  }

  /** What an active producer wrote last: a batch of records that ends at that offset, or else a marker. */
  lastOf(
    producerId: number,
    now: number,
  ): { readonly epoch: number; readonly lastOffset: number | undefined } | undefined {
    const producer = this.known(producerId, now);
    return producer && { epoch: producer.epoch, lastOffset: producer.batches.at(-1)?.lastOffset };
  }

  hasOpenTransaction(producerId: number): boolean {
    return this.open.has(producerId);
  }

  /** The first offset that no reader of committed records may pass while that much is durable; nothing if all may go. */
  firstUnstable(highWatermark: number): number | undefined {
    if (this.deciding.length > 0) {
      this.deciding = this.deciding.filter(({ markerOffset }) => markerOffset >= highWatermark);
    }
    let first = this.firstOpen();
    for (const { firstOffset } of this.deciding) if (first === undefined || firstOffset < first) first = firstOffset;
    return first;
  }

  describe(now: number): ProducerDescription[] {
    const found: ProducerDescription[] = [];
    for (const [producerId, producer] of this.producers) {
      if (this.isExpired(producer, now)) continue;
      found.push({
        producerId,
        producerEpoch: producer.epoch,
        lastSequence: producer.batches.at(-1)?.lastSequence ?? NONE,
        lastTimestamp: producer.lastTimestamp,
        coordinatorEpoch: producer.coordinatorEpoch,
        currentTxnStartOffset: producer.openSince,
      });
    }
    return found;
  }

  /** All of it, as it is before `offset`. */
  snapshot(offset: number, now: number): Buffer {
    this.forgetExpired(now);
    let size = SNAPSHOT_HEADER;
    for (const { batches } of this.producers.values()) size += PRODUCER_BYTES + batches.length * BATCH_BYTES;
    const bytes = Buffer.alloc(size);
    bytes.writeInt16BE(VERSION, 0);
    writeInt64(bytes, offset, 6);
    bytes.writeInt32BE(this.producers.size, 14);
    let at = SNAPSHOT_HEADER;
    for (const [id, producer] of this.producers) at = writeProducer(bytes, at, id, producer);
    bytes.writeUInt32BE(crc32c(bytes.subarray(6)), 2);
    return bytes;
  }

  /** The state that a snapshot taken before `offset` holds; nothing when it is damaged or another's. */
  static restore(bytes: Buffer, offset: number, now: number, expirationMs: number): ProducerStates | undefined {
    if (bytes.length < SNAPSHOT_HEADER || bytes.readInt16BE(0) !== VERSION) return undefined;
    if (crc32c(bytes.subarray(6)) !== bytes.readUInt32BE(2) || readInt64(bytes, 6) !== offset) return undefined;
    const states = new ProducerStates(expirationMs);
    let at = SNAPSHOT_HEADER;
    for (let left = bytes.readInt32BE(14); left > 0; left--) at = readProducer(bytes, at, states.producers);
    const open = [...states.producers].filter(([, { openSince }]) => openSince !== NONE);
    open.sort(([, a], [, b]) => a.openSince - b.openSince);
    for (const [id, { openSince }] of open) states.open.set(id, openSince);
    states.forgetExpired(now);
    return states;
  }

  private followMarker(bytes: Buffer, at: number, now: number): AbortedTransaction | undefined {
    const marker = markerIn(bytes, at);
    if (marker === undefined) return undefined;
    const producer = this.producerFor(marker.producerId, marker.producerEpoch, now);
    const firstOffset = producer.openSince;
    producer.coordinatorEpoch = marker.coordinatorEpoch;
    producer.lastTimestamp = maxTimestampOf(bytes, at);
    producer.openSince = NONE;
    if (firstOffset === NONE) return undefined;
    const lastOffset = baseOffsetOf(bytes, at);
    this.open.delete(marker.producerId);
    this.deciding.push({ firstOffset, markerOffset: lastOffset });
    if (marker.commit) return undefined;
    const lastStableOffset = this.firstOpen() ?? lastOffset + 1;
    return { producerId: marker.producerId, firstOffset, lastOffset, lastStableOffset };
  }

  private firstOpen(): number | undefined {
    if (this.open.size === 0) return undefined;
    return this.open.values().next().value;
  }

  private known(producerId: number, now: number): Producer | undefined {
    const producer = this.producers.get(producerId);
    return producer === undefined || this.isExpired(producer, now) ? undefined : producer;
  }

  /** In that epoch, which is new to it when the sequence starts over. */
  private producerFor(producerId: number, epoch: number, now: number): Producer {
    let producer = this.known(producerId, now);
    if (producer === undefined) {
      if (now >= this.nextCheck) this.forgetExpired(now);
      producer = { epoch, coordinatorEpoch: NONE, lastTimestamp: NONE, lastSeen: now, openSince: NONE, batches: [] };
      this.producers.set(producerId, producer);
    }
    if (producer.epoch !== epoch) producer.batches = [];
    producer.epoch = epoch;
    producer.lastSeen = now;
    return producer;
  }

  private forgetExpired(now: number): void {
    this.nextCheck = now + EXPIRATION_CHECK;
    for (const [id, producer] of this.producers) if (this.isExpired(producer, now)) this.producers.delete(id);
  }

  private isExpired(producer: Producer, now: number): boolean {
    return now - producer.lastSeen >= this.expirationMs && producer.openSince === NONE;
  }
}

/** The sequence number that follows, which after the greatest is 0. */
function sequenceAfter(sequence: number): number {
  return sequence === MAX_SEQUENCE ? 0 : sequence + 1;
}

function fenced(producerId: number, epoch: number, current: number): ProducerFault {
  return {
    code: 'INVALID_PRODUCER_EPOCH',
    what: `producer ${producerId} wrote with epoch ${epoch}, and epoch ${current} was seen: another has taken its place`,
  };
}

function writeProducer(bytes: Buffer, start: number, id: number, producer: Producer): number {
  let at = start;
  writeInt64(bytes, id, at);
  bytes.writeInt16BE(producer.epoch, at + 8);
  bytes.writeInt32BE(producer.coordinatorEpoch, at + 10);
  writeInt64(bytes, producer.lastTimestamp, at + 14);
  writeInt64(bytes, producer.lastSeen, at + 22);
  writeInt64(bytes, producer.openSince, at + 30);
  bytes.writeInt8(producer.batches.length, at + 38);
  at += PRODUCER_BYTES;
  for (const batch of producer.batches) {
    bytes.writeInt32BE(batch.firstSequence, at);
    bytes.writeInt32BE(batch.lastSequence, at + 4);
    writeInt64(bytes, batch.firstOffset, at + 8);
    writeInt64(bytes, batch.lastOffset, at + 16);
    writeInt64(bytes, batch.timestamp, at + 24);
    at += BATCH_BYTES;
  }
  return at;
}

function readProducer(bytes: Buffer, start: number, into: Map<number, Producer>): number {
  let at = start + PRODUCER_BYTES;
  const batches: AppendedBatch[] = [];
  for (let left = bytes.readInt8(start + 38); left > 0; left--) {
    batches.push({
      firstSequence: bytes.readInt32BE(at),
      lastSequence: bytes.readInt32BE(at + 4),
      firstOffset: readInt64(bytes, at + 8),
      lastOffset: readInt64(bytes, at + 16),
      timestamp: readInt64(bytes, at + 24),
    });
    at += BATCH_BYTES;
  }
  into.set(readInt64(bytes, start), {
    epoch: bytes.readInt16BE(start + 8),
    coordinatorEpoch: bytes.readInt32BE(start + 10),
    lastTimestamp: readInt64(bytes, start + 14),
    lastSeen: readInt64(bytes, start + 22),
    openSince: readInt64(bytes, start + 30),
    batches,
  });
  return at;
}
