import { LogError } from '../errors.ts';
import type { Producer, ProducerOptions, ProducerRecord, RecordHeader, RecordMetadata } from './api.ts';
import { BatchBuilder } from './batch-builder.ts';
import type { Clock } from './clock.ts';
import { bytesInTopic, checkRecord } from './new-record.ts';
import type { Partition } from './partition.ts';
import { partitionForKey } from './partitioner.ts';
import { stampAppendTime } from './record-batch.ts';
import type { Topic } from './topic.ts';

/**
 * Gathers records into one batch per partition and appends it when it is full, when its linger is over, or, without
 * linger, at the end of the caller's turn. Batches of acks=all that are not full wait a little longer, for free: until
 * just before the sync that makes them durable.
 *
 * Records of one producer to one partition keep the order in which they were sent. Encoded bytes never wait in more
 * than one batch per partition, since a full batch is appended by the very call that filled it.
 */
export interface ProducerSeam {
  readonly topic: (name: string) => Topic;
  readonly clock: Clock;
  readonly random: () => number;
  readonly fsync: boolean;
  readonly closed: (producer: LogProducer) => void;
}

const noHeaders: readonly RecordHeader[] = [];

interface Route {
  readonly topic: Topic;
  readonly lanes: (Lane | undefined)[];
  /** Where null keys go until that partition's batch is gone. */
  sticky: number;
}

export class LogProducer implements Producer {
  readonly seam: ProducerSeam;
  readonly acks: 'all' | 1 | 0;
  readonly lingerMs: number;
  readonly batchSize: number;
  private readonly maxInFlightBytes: number;
  private readonly routes = new Map<string, Route>();
  private inFlightBytes = 0;
  private waiting: { readonly below: number; readonly go: () => void }[] = [];
  /** The first failure that no send told of, with acks=0. */
  private untold: LogError | undefined;
  private isClosed = false;

  constructor(seam: ProducerSeam, options: ProducerOptions) {
    this.seam = seam;
    this.acks = options.acks ?? 'all';
    this.lingerMs = atLeast('lingerMs', options.lingerMs ?? 0, 0);
    this.batchSize = atLeast('batchSize', options.batchSize ?? 16_384, 0);
    this.maxInFlightBytes = atLeast('maxInFlightBytes', options.maxInFlightBytes ?? 4 * 1024 * 1024, 1);
    if (this.acks !== 'all' && this.acks !== 1 && this.acks !== 0) {
      throw new LogError('INVALID_CONFIG', `acks is ${JSON.stringify(this.acks)}; it must be 'all', 1 or 0`);
    }
  }

  send(record: ProducerRecord): Promise<RecordMetadata> {
    try {
      if (this.isClosed) throw new LogError('LOG_CLOSED', 'the producer is closed');
      const { key = null, value, headers = noHeaders, timestamp = this.seam.clock.now() } = record;
      checkRecord(key, value, headers, timestamp);
      const route = this.routeOf(record.topic);
      return this.laneOf(route, record, key).add(timestamp, key, value, headers);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  ready(): Promise<void> {
    return this.below(this.maxInFlightBytes);
  }

  async flush(): Promise<void> {
    for (const { lanes } of this.routes.values()) {
      for (const lane of lanes) lane?.drain();
    }
    await this.below(1);
    const { untold } = this;
    this.untold = undefined;
    if (untold !== undefined) throw untold;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    try {
      await this.flush();
    } finally {
      this.seam.closed(this);
    }
  }

  entered(bytes: number): void {
    this.inFlightBytes += bytes;
  }

  left(bytes: number, error: LogError | undefined): void {
    this.inFlightBytes -= bytes;
    if (error !== undefined && this.acks === 0) this.untold ??= error;
    if (this.waiting.length === 0) return;
    const still: typeof this.waiting = [];
    for (const one of this.waiting) {
      if (this.inFlightBytes < one.below) one.go();
      else still.push(one);
    }
    this.waiting = still;
  }

  private below(bytes: number): Promise<void> {
    if (this.inFlightBytes < bytes) return Promise.resolve();
    return new Promise((go) => this.waiting.push({ below: bytes, go }));
  }

  private routeOf(name: string): Route {
    const known = this.routes.get(name);
    if (known !== undefined && !known.topic.deleted) return known;
    const topic = this.seam.topic(name);
    const sticky = Math.floor(this.seam.random() * topic.partitions.length);
    const route: Route = { topic, lanes: topic.partitions.map(() => undefined), sticky };
    this.routes.set(name, route);
    return route;
  }

  private laneOf(route: Route, record: ProducerRecord, key: Uint8Array | null): Lane {
    const count = route.lanes.length;
    const number = record.partition ?? (key === null ? route.sticky : partitionForKey(key, count));
    const lane = route.lanes[number];
    if (lane !== undefined) return lane;
    const partition = route.topic.partitions[number];
    if (partition === undefined) {
      throw new LogError(
        'UNKNOWN_TOPIC_OR_PARTITION',
        `topic '${record.topic}' has no partition ${number}; it has 0 to ${count - 1}`,
      );
    }
    const made = new Lane(this, route.topic, partition, () => {
      if (route.sticky === number) route.sticky = (number + 1) % count;
    });
    route.lanes[number] = made;
    return made;
  }
}

/** One producer's batch in the making for one partition. */
class Lane {
  private readonly producer: LogProducer;
  private readonly topic: Topic;
  private readonly partition: Partition;
  private readonly gone: () => void;
  private readonly builder = new BatchBuilder();
  private sends: Sends = new Sends();
  private cancelLinger: (() => void) | undefined;
  readonly drain = (): void => this.append();

  constructor(producer: LogProducer, topic: Topic, partition: Partition, gone: () => void) {
    this.producer = producer;
    this.topic = topic;
    this.partition = partition;
    this.gone = gone;
  }

  add(
    timestamp: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly RecordHeader[],
  ): Promise<RecordMetadata> {
    const { builder } = this;
    const bytes = bytesInTopic(this.topic, key, value, headers);
    const full = Math.min(this.producer.batchSize, this.topic.config['max.message.bytes']);
    if (builder.count > 0 && builder.size + bytes > full) this.append();
    builder.add(timestamp, key, value, headers);
    const metadata = this.metadata(timestamp);
    if (builder.size >= full) this.append();
    else if (builder.count === 1) this.schedule();
    return metadata;
  }

  private metadata(timestamp: number): Promise<RecordMetadata> {
    if (this.producer.acks !== 0) return this.sends.next(timestamp);
    return Promise.resolve({ topic: this.topic.name, partition: this.partition.partition, offset: -1, timestamp });
  }

  private schedule(): void {
    const { acks, lingerMs, seam } = this.producer;
    if (lingerMs > 0) this.cancelLinger = seam.clock.setTimer(lingerMs, this.drain);
    else if (acks === 'all' && seam.fsync) this.partition.beforeSync(this.drain);
    else queueMicrotask(this.drain);
  }

  private append(): void {
    const { builder, sends, partition, producer } = this;
    if (builder.count === 0) return;
    this.cancelLinger?.();
    this.cancelLinger = undefined;
    this.sends = new Sends();
    this.gone();
    const batch = builder.finish();
    const bytes = batch.length;
    if (this.topic.config['message.timestamp.type'] === 'LogAppendTime') {
      const now = producer.seam.clock.now();
      stampAppendTime(batch, now);
      sends.stamp(now);
    }
    producer.entered(bytes);
    let base = 0;
    const settle = (error: LogError | undefined) => {
      sends.settle(this.topic.name, partition.partition, base, error);
      producer.left(bytes, error);
    };
    try {
      base = partition.append(batch);
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      settle(error);
      return;
    }
    if (producer.acks === 'all') partition.whenReadable(partition.end, settle);
    else settle(undefined);
  }
}

type Resolve = (metadata: RecordMetadata) => void;
type Reject = (error: LogError) => void;

/** The promises of one batch's records, in order. */
class Sends {
  private readonly timestamps: number[] = [];
  private readonly resolves: Resolve[] = [];
  private readonly rejects: Reject[] = [];

  next(timestamp: number): Promise<RecordMetadata> {
    this.timestamps.push(timestamp);
    return new Promise((resolve, reject) => {
      this.resolves.push(resolve);
      this.rejects.push(reject);
    });
  }

  stamp(timestamp: number): void {
    this.timestamps.fill(timestamp);
  }

  settle(topic: string, partition: number, base: number, error: LogError | undefined): void {
    const { timestamps, resolves, rejects } = this;
    if (error !== undefined) {
      for (const reject of rejects) reject(error);
      return;
    }
    for (let n = 0; n < resolves.length; n++) {
      resolves[n]!({ topic, partition, offset: base + n, timestamp: timestamps[n]! });
    }
  }
}

function atLeast(name: string, value: number, least: number): number {
  if (Number.isFinite(value) && value >= least) return value;
  throw new LogError('INVALID_CONFIG', `${name} is ${value}; it must be a number from ${least}`);
}
