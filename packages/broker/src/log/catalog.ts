import { join } from 'node:path';
import { LogError } from '../errors.ts';
import type { TopicConfig } from './api.ts';
import {
  type DataDirectory,
  FIRST_TOPIC_CELL,
  internalConfig,
  METADATA_TOPIC,
  namesIn,
  OFFSETS_TOPIC,
  TRANSACTIONS_TOPIC,
} from './data-directory.ts';
import type { KeyedLog } from './keyed-log.ts';
import type { Partition } from './partition.ts';
import type { Cell } from './recovery-points.ts';
import { storageError } from './storage.ts';
import type { Topic } from './topic.ts';
import { configWith, defaultConfig } from './topic-config.ts';

/**
 * The topics. One exists from the moment its record in the metadata log is durable, which is after its directories and
 * marks are, and until the record of its deletion is, which is before its files go. So what a crash leaves of a topic
 * that is not in that log is nobody's, and goes when the log is opened.
 */
interface TopicRecord {
  readonly name: string;
  readonly partitions: number;
  /** The cells of its marks, from partition 0 on. */
  readonly cells: readonly number[];
  /** What was set; the rest are defaults. */
  readonly config: Partial<TopicConfig>;
  /** A keyed log of the broker's own, which is no topic to anybody else. */
  readonly internal?: true;
}

const MAX_PARTITIONS = 10_000;
const METADATA_FILE = 'partition.metadata';
/** The key under which the metadata log keeps the cluster's id. */
const CLUSTER_ID = 'cluster-id';
/** Where the metadata log says from which producer id on none was given. */
const PRODUCER_IDS = 'producer-ids';
const FIRST_PRODUCER_ID = 1;

interface Known {
  readonly topic: Topic;
  record: TopicRecord;
}

export class Catalog {
  private readonly directory: DataDirectory;
  private readonly log: KeyedLog;
  private readonly random: () => number;
  private readonly topics = new Map<string, Known>();
  private readonly ids = new Map<string, Topic>();
  private readonly internal = new Map<string, Known>();
  private cluster: string | undefined;
  /** What is left to do of deletions before a name may be taken again. */
  private unforgotten: (() => Promise<void>) | undefined;
  private nextProducerId = FIRST_PRODUCER_ID;

  private constructor(directory: DataDirectory, log: KeyedLog, random: () => number) {
    this.directory = directory;
    this.log = log;
    this.random = random;
  }

  static async open(directory: DataDirectory, random: () => number): Promise<Catalog> {
    const catalog = new Catalog(directory, await directory.openMetadata(), random);
    const records = new Map<string, TopicRecord>();
    catalog.log.load(({ key, value }) => {
      const id = key.toString();
      if (value === null) records.delete(id);
      else if (id === CLUSTER_ID) catalog.cluster = JSON.parse(value.toString()).id;
      else if (id === PRODUCER_IDS) catalog.nextProducerId = JSON.parse(value.toString()).next;
      else records.set(id, JSON.parse(value.toString()));
    });
    await catalog.removeLeftovers(records);
    for (const [id, record] of records) {
      const topic = topicOf(id, record);
      await catalog.openPartitions(topic, record, topic.partitions, 0);
      catalog.add({ topic, record });
    }
    await directory.points.flush();
    return catalog;
  }

  /** The partitions that are no topic's: what the topics are, and the internal logs. */
  own(): Partition[] {
    return [this.log.partition, ...[...this.internal.values()].flatMap(({ topic }) => topic.partitions)];
  }

  hasInternal(name: string): boolean {
    return this.internal.has(name);
  }

  /**
   * A keyed log of the broker's own, made when it is first asked for. It stands in the metadata log like a topic, with a
   * cell like a topic's: so a directory in which topics have taken every low cell gets it, too.
   */
  async openInternal(name: string): Promise<KeyedLog> {
    const { commit } = this.directory;
    const config = { 'segment.bytes': internalConfig['segment.bytes'] };
    if (!this.internal.has(name)) await commit.exclusively(() => this.createInLine(name, 1, config, true));
    const [partition] = this.internal.get(name)!.topic.partitions;
    if (partition!.error !== undefined) throw partition!.error;
    return this.directory.keyedLog(partition!);
  }

  /** The first of so many producer ids, none of which is ever given again; durable when it resolves. */
  async allotProducerIds(count: number): Promise<number> {
    const first = this.nextProducerId;
    this.nextProducerId += count;
    const value = Buffer.from(JSON.stringify({ next: this.nextProducerId }));
    await this.log.put([{ key: Buffer.from(PRODUCER_IDS), value }], () => undefined);
    return first;
  }

  /** What Kafka calls the cluster's id: 22 characters, made once for a data directory; durable when it resolves. */
  async clusterId(): Promise<string> {
    if (this.cluster === undefined) {
      const made = Buffer.from(uuid(this.random).replaceAll('-', ''), 'hex').toString('base64url');
      this.cluster = made;
      const value = Buffer.from(JSON.stringify({ id: made }));
      await this.log.put([{ key: Buffer.from(CLUSTER_ID), value }], () => undefined);
    }
    return this.cluster;
  }

  byId(id: string): Topic | undefined {
    return this.ids.get(id);
  }

  names(): string[] {
    return [...this.topics.keys()].sort();
  }

  has(name: string): boolean {
    return this.topics.has(name);
  }

  find(name: string): Topic | undefined {
    return this.topics.get(name)?.topic;
  }

  all(): Topic[] {
    return [...this.topics.values()].map(({ topic }) => topic);
  }

  topic(name: string): Topic {
    return this.known(name).topic;
  }

  async create(name: string, partitions: number, config: Partial<TopicConfig>): Promise<Topic> {
    this.expectCreatable(name, partitions, config);
    return this.directory.commit.exclusively(() => this.createInLine(name, partitions, { ...config }));
  }

  /** Throws what `create` would, as far as can be said beforehand. */
  expectCreatable(name: string, partitions: number, config: Partial<TopicConfig>): void {
    checkName(name);
    if (!Number.isInteger(partitions) || partitions < 1 || partitions > MAX_PARTITIONS) {
      throw new LogError(
        'INVALID_PARTITIONS',
        `topic '${name}' cannot have ${partitions} partitions; it must be an integer from 1 to ${MAX_PARTITIONS}`,
      );
    }
    configWith(defaultConfig, config);
    this.expectNew(name);
  }

  alter(name: string, changes: Partial<TopicConfig>): Promise<Topic> {
    return this.configure(name, (set) => ({ ...set, ...changes }));
  }

  /** Has what is set on the topic be what `change` makes of it, and everything else a default. */
  async configure(name: string, change: (set: Partial<TopicConfig>) => Partial<TopicConfig>): Promise<Topic> {
    configWith(defaultConfig, change(this.known(name).record.config));
    return this.directory.commit.exclusively(async () => {
      const known = this.known(name);
      const { topic } = known;
      const set = change(known.record.config);
      const config = configWith(defaultConfig, set);
      const record = { ...known.record, config: set };
      await this.write(topic.id, record);
      known.record = record;
      Object.assign(topic, { config, set });
      return topic;
    });
  }

  /** Adds empty partitions, so that there are `count`. */
  async grow(name: string, count: number): Promise<Topic> {
    this.expectGrowable(name, count);
    return this.directory.commit.exclusively(async () => {
      this.expectGrowable(name, count);
      const known = this.known(name);
      const { topic, record: old } = known;
      const cells = [...old.cells, ...this.freeCells(count - old.partitions)];
      const record = { ...old, partitions: count, cells };
      const added: Partition[] = [];
      try {
        await this.makeFiles(topic.id, record, old.partitions);
        await this.openPartitions(topic, record, added, old.partitions);
        await this.write(topic.id, record);
      } catch (error) {
        for (const partition of added) partition.delete();
        if (this.directory.commit.stopped === undefined) {
          await this.removeFiles(record, old.partitions).catch(() => undefined);
        }
        throw storageError(`cannot add partitions to topic '${name}'`, error);
      }
      known.record = record;
      topic.partitions.push(...added);
      return topic;
    });
  }

  /** Throws what `grow` would, as far as can be said beforehand. */
  expectGrowable(name: string, count: number): void {
    const { partitions } = this.known(name).record;
    if (Number.isInteger(count) && count > partitions && count <= MAX_PARTITIONS) return;
    throw new LogError(
      'INVALID_PARTITIONS',
      `topic '${name}' has ${partitions} partitions and cannot have ${count}; it must be more, and at most ${MAX_PARTITIONS}`,
    );
  }

  /** `forget` runs when the topic is gone for good, before its name can be taken again. */
  async delete(name: string, forget: () => Promise<void>): Promise<void> {
    this.known(name);
    await this.directory.commit.exclusively(async () => {
      const { topic, record } = this.known(name);
      await this.write(topic.id, undefined);
      this.topics.delete(name);
      this.ids.delete(topic.id);
      topic.deleted = true;
      for (const partition of topic.partitions) partition.delete();
      this.unforgotten = forget;
      let left: unknown;
      await this.removeFiles(record).catch((error) => {
        left = error;
      });
      await this.forget();
      if (left !== undefined) {
        throw storageError(`topic '${name}' is deleted, and its files stay until the log is opened again`, left);
      }
    });
  }

  private async forget(): Promise<void> {
    await this.unforgotten?.();
    this.unforgotten = undefined;
  }

  private add(known: Known): void {
    const { topic, record } = known;
    if (record.internal === true) {
      this.internal.set(topic.name, known);
      return;
    }
    this.topics.set(topic.name, known);
    this.ids.set(topic.id, topic);
  }

  private async createInLine(
    name: string,
    partitions: number,
    config: Partial<TopicConfig>,
    internal?: true,
  ): Promise<Topic> {
    this.expectNew(name);
    await this.forget();
    const id = uuid(this.random);
    const place = internal === undefined ? {} : { internal };
    const record: TopicRecord = { name, partitions, cells: this.freeCells(partitions), config, ...place };
    const topic = topicOf(id, record);
    try {
      await this.makeFiles(id, record);
      await this.openPartitions(topic, record, topic.partitions, 0);
      await this.write(id, record);
      this.add({ topic, record });
      return topic;
    } catch (error) {
      for (const partition of topic.partitions) partition.delete();
      // What cannot be removed now is, when the log is opened or the name is taken again.
      if (this.directory.commit.stopped === undefined) await this.removeFiles(record).catch(() => undefined);
      throw storageError(`cannot create topic '${name}'`, error);
    }
  }

  /** Those of the partitions from `first` on. */
  private async makeFiles(id: string, record: TopicRecord, first = 0): Promise<void> {
    const { storage, commit, points, path } = this.directory;
    await this.removeFiles(record, first);
    await points.allot(record.cells.map((_, partition) => cellOf(id, record, partition)).slice(first));
    for (let partition = first; partition < record.partitions; partition++) {
      const directory = this.directory.directoryOf(record.name, partition);
      storage.makeDirectory(directory);
      const file = storage.open(join(directory, METADATA_FILE), true);
      try {
        file.write(Buffer.from(`version: 0\ntopic_id: ${id}\n`), 0);
        await commit.sync(file, directory);
      } finally {
        file.close();
      }
      await commit.syncDirectory(directory);
    }
    await commit.syncDirectory(path);
  }

  private async removeFiles(record: TopicRecord, first = 0): Promise<void> {
    const { storage, path } = this.directory;
    const present = new Set(storage.list(path));
    for (let partition = first; partition < record.partitions; partition++) {
      const name = `${record.name}-${partition}`;
      if (present.has(name)) await this.removeDirectory(join(path, name));
    }
  }

  /** The file that says it is ours goes last, so that what a crash leaves is recognised. */
  private async removeDirectory(directory: string): Promise<void> {
    const { storage, commit } = this.directory;
    const names = storage.list(directory);
    for (const name of names) if (name !== METADATA_FILE) storage.remove(join(directory, name));
    await commit.syncDirectory(directory);
    if (names.includes(METADATA_FILE)) storage.remove(join(directory, METADATA_FILE));
    storage.remove(directory);
  }

  private async openPartitions(topic: Topic, record: TopicRecord, into: Partition[], first: number): Promise<void> {
    for (let partition = first; partition < record.partitions; partition++) {
      const cell = cellOf(topic.id, record, partition);
      into.push(await this.directory.openPartition(topic.name, partition, cell, () => topic.config));
    }
  }

  private async write(id: string, record: TopicRecord | undefined): Promise<void> {
    const value = record === undefined ? null : Buffer.from(JSON.stringify(record));
    await this.log.putInLine([{ key: Buffer.from(id), value }]);
  }

  private freeCells(count: number): number[] {
    const taken = new Set<number>();
    for (const { record } of [...this.topics.values(), ...this.internal.values()]) {
      for (const cell of record.cells) taken.add(cell);
    }
    const free: number[] = [];
    for (let cell = FIRST_TOPIC_CELL; free.length < count; cell++) if (!taken.has(cell)) free.push(cell);
    return free;
  }

  private known(name: string): Known {
    const known = this.topics.get(name);
    if (known !== undefined) return known;
    throw new LogError('UNKNOWN_TOPIC_OR_PARTITION', `topic '${name}' does not exist; there are ${this.listed()}`);
  }

  private listed(): string {
    const names = this.names();
    return names.length === 0 ? 'no topics' : names.slice(0, 10).join(', ') + (names.length > 10 ? ', …' : '');
  }

  private expectNew(name: string): void {
    if (this.topics.has(name)) throw new LogError('TOPIC_ALREADY_EXISTS', `topic '${name}' exists already`);
  }

  /** Removes partition directories of ours (partition.metadata says so) that no topic has. */
  private async removeLeftovers(records: ReadonlyMap<string, TopicRecord>): Promise<void> {
    const { storage, path } = this.directory;
    const owned = new Set<string>();
    for (const { name, partitions } of records.values()) {
      for (let partition = 0; partition < partitions; partition++) owned.add(`${name}-${partition}`);
    }
    for (const name of storage.list(path)) {
      if (owned.has(name) || !/-\d+$/.test(name)) continue;
      if (namesIn(storage, join(path, name)).includes(METADATA_FILE)) await this.removeDirectory(join(path, name));
    }
  }
}

/** Without its partitions. */
function topicOf(id: string, { name, config: set }: TopicRecord): Topic {
  return { name, id, partitions: [], config: configWith(defaultConfig, set), set, deleted: false };
}

function cellOf(id: string, record: TopicRecord, partition: number): Cell {
  return { number: record.cells[partition]!, owner: { id, partition } };
}

function checkName(name: string): void {
  const reserved = name === METADATA_TOPIC || name === OFFSETS_TOPIC || name === TRANSACTIONS_TOPIC;
  if (!reserved && /^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..') return;
  throw new LogError(
    'INVALID_TOPIC_EXCEPTION',
    reserved
      ? `'${name}' is the log's own; choose another name`
      : `'${name}' cannot name a topic; use 1 to 249 letters, digits, '.', '_' and '-', and not '.' or '..' alone`,
  );
}

/** Version 4. */
function uuid(random: () => number): string {
  const bytes = Buffer.alloc(16);
  for (let n = 0; n < 16; n++) bytes[n] = Math.floor(random() * 256);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
