import { dirname, join } from 'node:path';
import { LogError } from '../errors.ts';
import type { TopicConfig } from './api.ts';
import type { Clock } from './clock.ts';
import { GroupCommit } from './group-commit.ts';
import { KeyedLog } from './keyed-log.ts';
import { OpenFiles } from './open-files.ts';
import { Partition } from './partition.ts';
import { recoverPartition } from './recovery.ts';
import { type Cell, RecoveryPoints } from './recovery-points.ts';
import { baseOfLog } from './segment.ts';
import { isSystemError, type Storage } from './storage.ts';
import { defaultConfig } from './topic-config.ts';

/**
 * A data directory that this process owns: the lock, the recovery points, the line for syncs, and how a partition in it
 * is opened. Its layout:
 *
 *     recovery-point               the marks, a cell per partition
 *     __cluster_metadata-0/        the topics: a keyed log in cell 0
 *     __consumer_offsets-0/        what groups committed: a keyed log in cell 1
 *     __transaction_state-0/       where transactions stand: a keyed log in a cell that the catalog gives it
 *     <topic>-<partition>/         partition.metadata and the segments
 */
export interface DirectoryOptions {
  readonly directory: string;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly fsync: boolean;
  readonly producerExpirationMs: number;
  readonly onStop: (error: LogError) => void;
}

export const METADATA_TOPIC = '__cluster_metadata';
export const OFFSETS_TOPIC = '__consumer_offsets';
/** Where transactions stand: a keyed log that the catalog makes when transactions are first served. */
export const TRANSACTIONS_TOPIC = '__transaction_state';
const METADATA_CELL: Cell = { number: 0, owner: { id: '00000000-0000-0000-0000-000000000001', partition: 0 } };
const OFFSETS_CELL: Cell = { number: 1, owner: { id: '00000000-0000-0000-0000-000000000002', partition: 0 } };
/** Cells before it are taken by the two keyed logs. */
export const FIRST_TOPIC_CELL = 2;
export const internalConfig: TopicConfig = { ...defaultConfig, 'segment.bytes': 64 * 1024 * 1024 };
/** How long a mark may trail what was synced: a power cut within it turns damage to those bytes into a torn tail. */
const MARK_DELAY = 20;
const OPEN_SEGMENTS = 64;
/** Of partitions at rest, whose files are open for the next append or read. */
const RESTING_FILES = 512;
/** Milliseconds before a sync is tried again for which no file could be opened. */
const PAUSE = 100;

export class DataDirectory {
  readonly path: string;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly commit: GroupCommit;
  readonly points: RecoveryPoints;
  private readonly fsync: boolean;
  private readonly producerExpirationMs: number;
  private readonly files = new OpenFiles(OPEN_SEGMENTS);
  private readonly resting = new OpenFiles(RESTING_FILES);
  private readonly lock: { release(): void };
  private cancelMark: (() => void) | undefined;

  private constructor(options: DirectoryOptions, lock: { release(): void }) {
    this.path = options.directory;
    this.storage = options.storage;
    this.clock = options.clock;
    this.fsync = options.fsync;
    this.producerExpirationMs = options.producerExpirationMs;
    this.lock = lock;
    this.commit = new GroupCommit(options.storage, options.onStop, () => pause(options.clock));
    this.points = new RecoveryPoints(options.storage, join(options.directory, 'recovery-point'), this.commit);
  }

  /** Makes the directory if need be, takes it, and sees that it has its first two marks. */
  static async open(options: DirectoryOptions): Promise<DataDirectory> {
    await makeDirectories(options.storage, options.directory);
    const lock = options.storage.lock(options.directory);
    let opened: DataDirectory | undefined;
    try {
      opened = new DataDirectory(options, lock);
      await opened.initialise();
      return opened;
    } catch (error) {
      if (opened === undefined) lock.release();
      else opened.release();
      throw error;
    }
  }

  openMetadata(): Promise<KeyedLog> {
    return this.openKeyed(METADATA_TOPIC, METADATA_CELL);
  }

  openOffsets(): Promise<KeyedLog> {
    return this.openKeyed(OFFSETS_TOPIC, OFFSETS_CELL);
  }

  keyedLog(partition: Partition): KeyedLog {
    return new KeyedLog({ partition, commit: this.commit, points: this.points, clock: this.clock });
  }

  directoryOf(topic: string, partition: number): string {
    return join(this.path, `${topic}-${partition}`);
  }

  /** `config` gives the topic's effective settings, which may change. */
  async openPartition(topic: string, partition: number, cell: Cell, config: () => TopicConfig): Promise<Partition> {
    const { clock, commit, points, storage, files, resting, fsync } = this;
    const place = { storage, files, resting, directory: this.directoryOf(topic, partition) };
    const state = await recoverPartition({
      topic,
      partition,
      place,
      commit,
      mark: points.read(cell),
      now: clock.now(),
      producerExpirationMs: this.producerExpirationMs,
    });
    const { start, end: synced, indexed, compacted, clean, error } = state;
    if (error === undefined) points.put(cell, { start, synced, indexed, compacted, clean, rewriting: false });
    const marked = () => this.marked();
    const rethrow = (error: unknown) => this.rethrow(error);
    const options = { topic, partition, cell, place, clock, commit, points, fsync, config, rethrow, marked };
    return new Partition(options, state);
  }

  /** Throws where nobody of ours catches. */
  rethrow(error: unknown): void {
    this.clock.setTimer(0, () => {
      throw error;
    });
  }

  /** Writes the marks a little later, so that many syncs share one. */
  private marked(): void {
    this.cancelMark ??= this.clock.setTimer(
      MARK_DELAY,
      () => {
        this.cancelMark = undefined;
        this.commit.enqueue(this.points);
      },
      true,
    );
  }

  async close(partitions: Iterable<Partition>): Promise<void> {
    const all = [...partitions];
    try {
      const healthy = await this.commit.end();
      this.cancelMark?.();
      if (!healthy) return;
      for (const partition of all) {
        if (!this.fsync) await partition.flush();
        await partition.close();
      }
      await this.points.flush();
    } finally {
      for (const partition of all) partition.release();
      this.release();
    }
  }

  release(): void {
    this.cancelMark?.();
    this.cancelMark = undefined;
    this.points.close();
    this.lock.release();
  }

  private async openKeyed(topic: string, cell: Cell): Promise<KeyedLog> {
    const directory = this.directoryOf(topic, 0);
    this.storage.makeDirectory(directory);
    await this.commit.syncDirectory(this.path);
    const partition = await this.openPartition(topic, 0, cell, () => internalConfig);
    if (partition.error !== undefined) {
      partition.release();
      throw partition.error;
    }
    return this.keyedLog(partition);
  }

  private async initialise(): Promise<void> {
    if (this.points.read(METADATA_CELL) !== undefined && this.points.read(OFFSETS_CELL) !== undefined) {
      return this.points.writeAgain();
    }
    if (this.holdsData()) {
      throw new LogError(
        'CORRUPT_MESSAGE',
        `${join(this.path, 'recovery-point')} is missing or damaged although ${this.path} holds data, so nobody can say what of it was durable; restore that file from a copy of the same moment`,
      );
    }
    await this.points.allot([METADATA_CELL, OFFSETS_CELL]);
    await this.commit.syncDirectory(this.path);
  }

  private holdsData(): boolean {
    return namesIn(this.storage, this.directoryOf(METADATA_TOPIC, 0)).some((name) => baseOfLog(name) !== undefined);
  }
}

/** None when there is no such directory. */
export function namesIn(storage: Storage, directory: string): readonly string[] {
  try {
    return storage.list(directory);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

async function makeDirectories(storage: Storage, path: string): Promise<void> {
  const missing: string[] = [];
  let at = path;
  for (; !exists(storage, at); at = dirname(at)) missing.push(at);
  await syncName(storage, at);
  for (const directory of missing.reverse()) {
    try {
      storage.makeDirectory(directory);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new LogError('KAFKA_STORAGE_ERROR', `cannot make the data directory ${path}: ${reason}`, {
        cause: error,
        retriable: false,
      });
    }
    await storage.syncDirectory(dirname(directory));
  }
}

function exists(storage: Storage, directory: string): boolean {
  try {
    storage.list(directory);
    return true;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false;
    throw error;
  }
}

function pause(clock: Clock): Promise<void> {
  return new Promise((resolve) => void clock.setTimer(PAUSE, resolve));
}

/** A start before this one may have made the directory and ended before its name was durable. */
async function syncName(storage: Storage, directory: string): Promise<void> {
  try {
    await storage.syncDirectory(dirname(directory));
  } catch (error) {
    // Whoever may not look into the directory above has not made this one.
    if (!isSystemError(error, 'EACCES', 'EPERM')) throw error;
  }
}
